variable "prefix" {
  description = "Leads every name: \"<name>-<environment>\"."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.prefix))
    error_message = "prefix is 3 to 32 small letters, digits and hyphens."
  }
}

variable "cluster_name" {
  description = "The ECS cluster of the services."
  type        = string
  nullable    = false
}

variable "services" {
  description = "The ECS services by group: name and ARN, the task queues each polls, and how many tasks it has when it is awake (autoscaling adds to them)."
  type        = map(object({ name = string, arn = string, queues = list(string), tasks = number }))
  nullable    = false

  validation {
    condition     = length(var.services) > 0 && alltrue([for service in values(var.services) : length(service.queues) > 0 && service.tasks >= 1])
    error_message = "There is a service at least; each polls a queue at least, and has a task at least when it is awake."
  }
}

variable "after_minutes" {
  description = "After how many minutes with nothing to do a service sleeps: since the last workflow of its queues began or ended, since a release."
  type        = number
  nullable    = false

  validation {
    condition     = var.after_minutes >= 5 && var.after_minutes <= 1440 && floor(var.after_minutes) == var.after_minutes
    error_message = "after_minutes is 5 (less would be more starting than working) to 1440 (a day), a whole number."
  }
}

variable "artifact_bucket" {
  description = "Bucket of the published zips."
  type        = string
  nullable    = false
}

variable "artifact_key" {
  description = "Key of the zip in the bucket, functions/<release>/functions.zip."
  type        = string
  nullable    = false

  validation {
    condition     = endswith(var.artifact_key, ".zip")
    error_message = "artifact_key names a zip."
  }
}

variable "artifact_sha256_base64" {
  description = "SHA-256 of the zip in base64, as Lambda writes it: what makes a changed zip a change."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9+/]{43}=$", var.artifact_sha256_base64))
    error_message = "artifact_sha256_base64 is a SHA-256 in base64, 44 characters; a zip that `make publish` put has one."
  }
}

variable "runtime" {
  description = "Lambda's name of the Python that the zip was built for; its bytecode and libraries fit no other."
  type        = string
  default     = "python3.13"
  nullable    = false

  validation {
    condition     = contains(["python3.11", "python3.12", "python3.13"], var.runtime)
    error_message = "runtime is python3.11, python3.12 or python3.13: what infra/bundle builds for."
  }
}

variable "architecture" {
  description = "Processor that the zip was built for: arm64 costs a fifth less."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture is \"arm64\" or \"x86_64\"."
  }
}

variable "environment" {
  description = "Further ORDERS_* variables, without secrets: where Temporal is, above all."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.environment) : can(regex("^ORDERS_[A-Z0-9_]+$", name))])
    error_message = "Names of environment begin with ORDERS_."
  }

  validation {
    condition     = length([for name in keys(var.environment) : name if can(regex("(SECRET|SECRETS|TOKEN|PASSWORD|KEY|KEYS)$", name))]) == 0
    error_message = "A variable is readable by whoever may read the function. Put secrets with `orders secrets put`, and give the function the container's ARN."
  }
}

variable "secret_arns" {
  description = "Secrets whose values it reads: Temporal's, where the server wants to know who we are; it may read no other."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "secret_kms_key_arns" {
  description = "Keys of those secrets, where they have keys of their own."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key of the function's variables and of its log; null leaves them to AWS's own keys."
  type        = string
  default     = null
}

variable "vpc" {
  description = "Subnets and security groups of the function when Temporal's address is private; null keeps it out of any VPC, where it starts faster and reaches the internet without NAT."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null

  validation {
    condition     = var.vpc == null || try(length(var.vpc.subnet_ids) > 0 && length(var.vpc.security_group_ids) > 0, false)
    error_message = "vpc has a subnet and a security group at least."
  }
}

variable "permissions_boundary_arn" {
  description = "Policy that bounds whatever the function's role is ever granted; needed where a bounded deploy role applies. Null: none."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "How long the function's log is kept, in days."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is a number of days that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827 and some more."
  }
}
