variable "name" {
  description = "Leads the repositories' names."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*$", var.name))
    error_message = "name is small letters, digits and hyphens."
  }
}

variable "repositories" {
  description = "The repositories to make, as \"worker\"."
  type        = set(string)
  default     = ["worker", "functions"]
  nullable    = false

  validation {
    condition     = length(var.repositories) > 0 && alltrue([for name in var.repositories : can(regex("^[a-z][a-z0-9-]*$", name))])
    error_message = "There is one repository at least; a name is small letters, digits and hyphens."
  }
}

variable "kept_releases" {
  description = "How many images a repository keeps; older ones expire. A rollback reaches as far."
  type        = number
  default     = 50
  nullable    = false

  validation {
    condition     = var.kept_releases >= 5
    error_message = "kept_releases is 5 or more: what runs, what ran before, and some."
  }
}

variable "kms_key_arn" {
  description = "Key of the images; null leaves them to AWS's own."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "Whether a destroy takes images with it; without, it refuses while there are any."
  type        = bool
  default     = false
  nullable    = false
}
