variable "prefix" {
  description = "Leads every name: \"<name>-<environment>\"."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.prefix))
    error_message = "prefix is 3 to 32 small letters, digits and hyphens."
  }
}

variable "name" {
  description = "What this function is called after the prefix: \"api\"."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name))
    error_message = "name is up to 20 small letters, digits and hyphens."
  }
}

variable "serves" {
  description = "Functions of the route table that this Lambda function answers for; it knows no other route. Empty where it runs another `program`."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = (length(var.serves) > 0) == (var.program == null) && length(distinct(var.serves)) == length(var.serves)
    error_message = "A function serves one function of the route table at least, and none twice, or runs a program of its own."
  }
}

variable "program" {
  description = "Another program of the zip than the API: its handler, what it is for, the variables in which it is told that, and what it may do for it (statements: Sid, Action, Resource). Null: the API, which answers for `serves`."
  type = object({
    handler     = string
    description = string
    variables   = optional(map(string), {})
    statements  = optional(list(object({ Sid = string, Action = list(string), Resource = list(string) })), [])
  })
  default = null

  validation {
    condition     = var.program == null || length([for name in keys(try(var.program.variables, {})) : name if can(regex("^(ORDERS|AWS|LAMBDA)_|(SECRET|SECRETS|TOKEN|PASSWORD|KEY|KEYS|ARNS)$", name))]) == 0
    error_message = "A program's own variables are neither ORDERS_* (those are settings, in environment) nor Lambda's, and hold no secret: put those with `orders secrets put`."
  }

  validation {
    condition     = var.program == null || alltrue(flatten([for each in try(var.program.statements, []) : [for word in concat(each.Action, each.Resource) : !endswith(word, "*")]]))
    error_message = "A program's statements name actions and resources; nothing ends with a star."
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

  validation {
    condition     = !contains(keys(var.environment), "ORDERS_API__FUNCTIONS")
    error_message = "ORDERS_API__FUNCTIONS is made from `serves`."
  }
}

variable "secret_arns" {
  description = "Secrets whose values the function reads at its start and again every few minutes; it may read no other."
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

variable "memory_mb" {
  description = "Memory in MB; processor time grows with it (1769 MB are one processor)."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = var.memory_mb >= 256 && var.memory_mb <= 10240
    error_message = "memory_mb is 256 (the libraries need about 150) to 10240."
  }
}

variable "timeout_seconds" {
  description = "After how many seconds Lambda ends an invocation: 10 s before the gateway's patience does, so that the gateway can still answer. A program that the gateway does not call may take up to 900."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 5 && var.timeout_seconds <= (var.program == null ? 20 : 900)
    error_message = "timeout_seconds is 5 (the function's own deadlines are shorter) to 20 (the gateway waits 30), or to 900 of a program that the gateway does not call."
  }
}

variable "reserved_concurrency" {
  description = "How many run at once at most, taken from the account's share for this function alone; 0 switches the function off, null leaves it to the account's limit."
  type        = number
  default     = null

  validation {
    condition     = var.reserved_concurrency == null || try(var.reserved_concurrency >= 0, false)
    error_message = "reserved_concurrency is 0 or more, or null."
  }
}

variable "provisioned_concurrency" {
  description = "How many are kept started, at a price by the hour; 0 for none."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.provisioned_concurrency >= 0
    error_message = "provisioned_concurrency is 0 or more."
  }

  validation {
    condition     = var.reserved_concurrency == null || try(var.provisioned_concurrency <= var.reserved_concurrency, false)
    error_message = "provisioned_concurrency is a part of reserved_concurrency, so not more."
  }
}

variable "snap_start_enabled" {
  description = "Whether a published version starts from a snapshot of its memory. Not together with provisioned concurrency."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !(var.snap_start_enabled && var.provisioned_concurrency > 0)
    error_message = "SnapStart and provisioned concurrency exclude each other."
  }

  validation {
    condition     = !var.snap_start_enabled || var.runtime != "python3.11"
    error_message = "SnapStart knows Python from 3.12 on."
  }
}

variable "tracing_enabled" {
  description = "Whether X-Ray traces its invocations, those that are part of a trace already and a share of the others."
  type        = bool
  default     = true
  nullable    = false
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

variable "log_level" {
  description = "Least level of the program's log lines that Lambda passes on."
  type        = string
  default     = "INFO"
  nullable    = false

  validation {
    condition     = contains(["DEBUG", "INFO", "WARN", "ERROR"], var.log_level)
    error_message = "log_level is DEBUG, INFO, WARN or ERROR."
  }
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
