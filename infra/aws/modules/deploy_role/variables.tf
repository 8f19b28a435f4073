variable "name" {
  description = "Leads every name of the installation, as \"orders\"."
  type        = string
  nullable    = false
}

variable "environment" {
  description = "The environment that may be deployed; the role can change nothing of another."
  type        = string
  nullable    = false
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
    condition     = length(var.subjects) > 0 && alltrue([for subject in var.subjects : can(regex("^repo:[^*?]+$", subject))])
    error_message = "Every subject begins with \"repo:\" and has no wildcard: who may deploy is said exactly."
  }
}

variable "state_bucket_arn" {
  description = "The bucket of Terraform states."
  type        = string
  nullable    = false
}

variable "artifact_bucket_arn" {
  description = "The bucket of published releases."
  type        = string
  nullable    = false
}

variable "repository_arns" {
  description = "The image repositories that a release is pushed to."
  type        = list(string)
  nullable    = false
}

variable "kms_key_arns" {
  description = "Keys of the state and of the releases."
  type        = list(string)
  nullable    = false
}
