variable "prefix" {
  description = "Leads every name: \"<name>-<environment>\"."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key of the objects; null leaves them to the keys of S3."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "Whether destroying the bucket may destroy the statements and reports in it."
  type        = bool
  default     = false
  nullable    = false
}

variable "infrequent_access_after_days" {
  description = "After how many days an object moves to the class for what is rarely read (30 at least)."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.infrequent_access_after_days >= 30
    error_message = "S3 moves objects to infrequent access after 30 days at the earliest."
  }
}

variable "noncurrent_retention_days" {
  description = "How long an overwritten or deleted version of an object is kept, in days."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.noncurrent_retention_days >= 1
    error_message = "noncurrent_retention_days is 1 or more."
  }
}

variable "run_retention_days" {
  description = "How long what a reconciliation was gathered with is kept, in days: while it is there the run can be done again. 0: for good."
  type        = number
  default     = 400
  nullable    = false

  validation {
    condition     = var.run_retention_days == 0 || var.run_retention_days >= 35
    error_message = "run_retention_days is 0, or 35 and more: a month is closed on the fourth of the next."
  }
}
