variable "name" {
  description = "Leads every name of the installation; two in one account have two names."
  type        = string
  default     = "orders"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.name))
    error_message = "name is 2 to 16 small letters, digits and hyphens, and begins with a letter."
  }
}

variable "region" {
  description = "AWS region of the buckets, the registry and the secrets: the environments' own."
  type        = string
  nullable    = false
}

variable "environments" {
  description = "The environments that will be deployed; each gets empty secrets and, for GitHub, a role."
  type        = set(string)
  default     = ["dev", "prod"]
  nullable    = false

  validation {
    condition     = length(var.environments) > 0 && alltrue([for each in var.environments : can(regex("^[a-z][a-z0-9]{1,9}$", each))])
    error_message = "There is one environment at least; each is named with 2 to 10 small letters and digits."
  }
}

variable "github_repository" {
  description = "\"owner/repository\" whose workflows may plan and apply, by OIDC; null: none may."
  type        = string
  default     = null

  validation {
    condition     = var.github_repository == null ? true : can(regex("^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", var.github_repository))
    error_message = "github_repository is \"owner/repository\"."
  }
}

variable "github_subjects" {
  description = "Per environment the exact subjects that may deploy it, where they are not the default, \"repo:<github_repository>:environment:<environment>\"; GitHub issues others to repositories with immutable subjects."
  type        = map(list(string))
  default     = {}
  nullable    = false
}

variable "github_provider_arn" {
  description = "GitHub's identity provider where the account has one already (it can have one only); null makes it."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "Whether a destroy takes the states, releases and images with it; without, it refuses while there are any."
  type        = bool
  default     = false
  nullable    = false
}

variable "secret_recovery_window_days" {
  description = "For how many days a deleted secret can be brought back; 0 deletes at once."
  type        = number
  default     = 7
  nullable    = false
}
