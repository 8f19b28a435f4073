variable "name" {
  description = "Leads every name of the installation; two in one account have two names."
  type        = string
  default     = "orders"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,11}$", var.name))
    error_message = "name is 2 to 12 small letters and digits, and begins with a letter: it is part of names of buckets."
  }
}

variable "region" {
  description = "AWS region of the buckets, the registry and the secrets: the environments' own. Null takes the one of the AWS variables or profile."
  type        = string
  default     = null
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

  validation {
    condition     = length(setintersection(var.environments, ["plan", "publish", "bootstrap", "github"])) == 0
    error_message = "plan, publish, bootstrap and github are names of other things."
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
  description = "The exact subjects that may take a role, where they are not the defaults: by environment for its apply role (default repo:<repository>:environment:<environment>), under \"plan\" (repo:<repository>:pull_request) and \"publish\" (repo:<repository>:ref:refs/heads/main). GitHub issues others to repositories with immutable subjects."
  type        = map(list(string))
  default     = {}
  nullable    = false

  validation {
    condition     = length(setsubtract(keys(var.github_subjects), setunion(var.environments, ["plan", "publish"]))) == 0
    error_message = "The keys of github_subjects are environments, \"plan\" and \"publish\"."
  }
}

variable "github_provider_arn" {
  description = "GitHub's identity provider where the account has one already (it can have one only); null makes it."
  type        = string
  default     = null
}

variable "zone_ids" {
  description = "Route 53 zones in which the apply roles may keep the records of custom domains."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "force_destroy" {
  description = "Whether a destroy takes the states, releases and images with it; without, it refuses while there are any."
  type        = bool
  default     = false
  nullable    = false
}

variable "secret_stores" {
  description = "Where an environment's secrets are: \"secrets_manager\" unless named here, or \"parameter_store\"; as `secret_store` of the environment. A change deletes the secrets where they were."
  type        = map(string)
  default     = { dev = "parameter_store" }
  nullable    = false

  validation {
    condition     = alltrue([for store in values(var.secret_stores) : contains(["secrets_manager", "parameter_store"], store)])
    error_message = "The values of secret_stores are \"secrets_manager\" or \"parameter_store\"."
  }
}

variable "secret_recovery_window_days" {
  description = "For how many days a deleted secret can be brought back, 7 to 30; 0 deletes at once."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.secret_recovery_window_days == 0 || (var.secret_recovery_window_days >= 7 && var.secret_recovery_window_days <= 30)
    error_message = "secret_recovery_window_days is 7 to 30, or 0."
  }
}

variable "kept_releases" {
  description = "How many images of each repository are kept; a rollback reaches as far."
  type        = number
  default     = 50
  nullable    = false
}
