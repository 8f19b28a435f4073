variable "name" {
  description = "Leads every name of the installation, as \"orders\"; the value of the tag Project of everything that is deployed."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.name))
    error_message = "name is 2 to 16 small letters, digits and hyphens, and begins with a letter."
  }
}

variable "access" {
  description = "What the role is for: \"plan\" reads what there is, \"publish\" adds releases, \"apply\" changes one environment."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["plan", "publish", "apply"], var.access)
    error_message = "access is \"plan\", \"publish\" or \"apply\"."
  }
}

variable "environment" {
  description = "The one environment that \"apply\" may change, the value of the tag Environment of what is in it; null for the other kinds."
  type        = string
  default     = null

  validation {
    condition     = (var.access == "apply") == (var.environment != null)
    error_message = "environment is given for access \"apply\", and for no other."
  }

  validation {
    condition     = var.environment == null || can(regex("^[a-z][a-z0-9]{1,9}$", var.environment))
    error_message = "environment is 2 to 10 small letters and digits: a hyphen could make one environment's names begin like another's."
  }
}

variable "oidc_provider_arn" {
  description = "GitHub's identity provider in this account."
  type        = string
  nullable    = false
}

variable "subjects" {
  description = "The exact subjects that may take the role, as \"repo:acme/orders:environment:prod\": no wildcards."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.subjects) > 0 && alltrue([for subject in var.subjects : can(regex("^repo:[^*?:]+:[^*?]+$", subject))])
    error_message = "Every subject is \"repo:<owner>/<repository>:<what>\" without a wildcard: who may take the role is said exactly."
  }
}

variable "state_bucket_arn" {
  description = "The bucket of Terraform states, <environment>/terraform.tfstate in it."
  type        = string
  nullable    = false
}

variable "artifact_bucket_arn" {
  description = "The bucket of published releases."
  type        = string
  nullable    = false
}

variable "repository_arns" {
  description = "The image repositories of releases."
  type        = list(string)
  nullable    = false
}

variable "kms_key_arns" {
  description = "Keys of the state and of the releases; used through S3 only, so that no secret under them can be read."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "zone_ids" {
  description = "Route 53 zones in which \"apply\" may keep the records of a custom domain; none: no custom domain by this role."
  type        = list(string)
  default     = []
  nullable    = false
}
