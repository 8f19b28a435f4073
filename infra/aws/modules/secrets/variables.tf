variable "path" {
  description = "Leads the secrets' names: \"<name>/<environment>\"."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*/[a-z][a-z0-9-]*$", var.path))
    error_message = "path is \"<name>/<environment>\", in small letters, digits and hyphens."
  }
}

variable "containers" {
  description = "The secrets to make, by name, and what each holds."
  type        = map(string)
  default = {
    temporal   = "The connection to Temporal: an API key, or a client certificate and its key"
    api        = "Digests of the keys of API clients"
    encryption = "Keys that encrypt what is sent to Temporal, the current one first"
    webhooks   = "Signing secrets of the senders of webhooks"
    worker     = "Keys of the provider, the shop and the warehouse, and the key of confirmation tokens"
    database   = "The application's connection to the database; the deploy task writes it"
  }
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.containers) : can(regex("^[a-z][a-z0-9-]*$", name))])
    error_message = "A secret's name is small letters, digits and hyphens."
  }
}

variable "store" {
  description = "Where they are: \"secrets_manager\", or \"parameter_store\", which costs nothing and takes 4096 bytes each."
  type        = string
  default     = "secrets_manager"
  nullable    = false

  validation {
    condition     = contains(["secrets_manager", "parameter_store"], var.store)
    error_message = "store is \"secrets_manager\" or \"parameter_store\"."
  }
}

variable "kms_key_arn" {
  description = "Key of the secrets; null leaves them to AWS's own key."
  type        = string
  default     = null
}

variable "recovery_window_days" {
  description = "For how many days a deleted secret can be brought back; 0 deletes at once. A parameter is gone at once, always."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.recovery_window_days == 0 || (var.recovery_window_days >= 7 && var.recovery_window_days <= 30)
    error_message = "recovery_window_days is 7 to 30, or 0."
  }
}
