variable "prefix" {
  description = "Leads every name: \"<name>-<environment>\"."
  type        = string
  nullable    = false
}

variable "name" {
  description = "What the function is called within the environment, as \"webhooks\"."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name))
    error_message = "name is up to 20 small letters, digits and hyphens."
  }
}

variable "serves" {
  description = "Which functions of the route table it serves; the rest of the code is there and answers 404."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.serves) > 0
    error_message = "A function that serves nothing is not needed."
  }
}

variable "artifact_bucket" {
  description = "Bucket of the published releases."
  type        = string
  nullable    = false
}

variable "artifact_key" {
  description = "Key of the release's zip in the bucket."
  type        = string
  nullable    = false
}

variable "artifact_sha256_base64" {
  description = "SHA-256 of the zip, in base64: another value is another version."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9+/]{43}=$", var.artifact_sha256_base64))
    error_message = "artifact_sha256_base64 is 32 bytes in base64: was the release published with `make publish`?"
  }
}

variable "runtime" {
  description = "Lambda runtime that the zip was built for: its bytecode belongs to one version of Python."
  type        = string
  default     = "python3.13"
  nullable    = false

  validation {
    condition     = contains(["python3.11", "python3.12", "python3.13"], var.runtime)
    error_message = "runtime is python3.11, python3.12 or python3.13."
  }
}

variable "architecture" {
  description = "Processor that the zip was built for: arm64, or x86_64."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture is arm64 or x86_64."
  }
}

variable "environment" {
  description = "Further variables of the function, without secrets."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "secret_arns" {
  description = "Secrets that the function reads at a cold start; it may read no other."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "secret_kms_key_arns" {
  description = "Keys of the secrets, where they have keys of their own."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key of the log group and of the variables; null leaves them to AWS's own keys."
  type        = string
  default     = null
}

variable "memory_mb" {
  description = "Memory in MB; the share of a processor grows with it (1769 MB are one)."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = var.memory_mb >= 256 && var.memory_mb <= 3008
    error_message = "memory_mb is 256 to 3008."
  }
}

variable "timeout_seconds" {
  description = "When Lambda ends an invocation, in seconds. The function answers within 3 s of its own accord; a cold start is before that."
  type        = number
  default     = 15
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 5 && var.timeout_seconds < 29
    error_message = "timeout_seconds is 5 to 28: the gateway gives up at 29."
  }
}

variable "reserved_concurrency" {
  description = "How many copies may run at once: a cap for the damage a flood can do, here and at Temporal. Null: none but the account's."
  type        = number
  default     = null

  validation {
    condition     = var.reserved_concurrency == null ? true : var.reserved_concurrency >= 1
    error_message = "reserved_concurrency is 1 or more, or null; 0 would switch the function off."
  }
}

variable "provisioned_concurrency" {
  description = "How many copies are kept warm, at a price per hour; 0 is none."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.provisioned_concurrency >= 0
    error_message = "provisioned_concurrency is not negative."
  }

  validation {
    condition     = !(var.provisioned_concurrency > 0 && var.snap_start_enabled)
    error_message = "Lambda has provisioned concurrency or SnapStart for a function, not both."
  }

  validation {
    condition     = var.reserved_concurrency == null ? true : var.provisioned_concurrency <= var.reserved_concurrency
    error_message = "provisioned_concurrency is a part of reserved_concurrency, and not more."
  }
}

variable "snap_start_enabled" {
  description = "Whether cold starts restore a snapshot that was taken after the imports (Python 3.12 and later)."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.snap_start_enabled || var.runtime != "python3.11"
    error_message = "SnapStart needs python3.12 or later: publish the release for it."
  }
}

variable "tracing_enabled" {
  description = "Whether a share of the requests is traced by X-Ray."
  type        = bool
  default     = true
  nullable    = false
}

variable "log_retention_days" {
  description = "How long logs are kept, in days."
  type        = number
  default     = 365
  nullable    = false
}

variable "vpc" {
  description = "Subnets and the security groups, for a Temporal server that has no public address; null keeps the function out of any VPC."
  type        = object({ subnet_ids = list(string), security_group_ids = list(string) })
  default     = null
}

variable "permissions_boundary_arn" {
  description = "The most that the function's role can be granted; null sets no bound. A pipeline's role demands one."
  type        = string
  default     = null
}
