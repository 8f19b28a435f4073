variable "prefix" {
  description = "Leads every name: \"<name>-<environment>\"."
  type        = string
  nullable    = false
}

variable "alarm_email" {
  description = "Address that is written to when an alarm begins or ends; it must confirm once. Null: subscribe something else to the topic."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_email == null || can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.alarm_email))
    error_message = "alarm_email is an e-mail address."
  }

  validation {
    condition     = var.alarm_email == null || var.alarms != "none"
    error_message = "With alarms = \"none\" nobody is written to: leave alarm_email out, or have alarms."
  }
}

variable "kms_key_arn" {
  description = "Key of the topic; it must let CloudWatch and EventBridge use it. Null: not encrypted at rest (AWS's own key of SNS shuts alarms out)."
  type        = string
  default     = null
}

variable "api_id" {
  description = "The HTTP API."
  type        = string
  nullable    = false
}

variable "function_names" {
  description = "The Lambda functions, by what they are called here."
  type        = map(string)
  nullable    = false
}

variable "cluster_name" {
  description = "The ECS cluster."
  type        = string
  nullable    = false
}

variable "services" {
  description = "The ECS services by group: name and ARN, and the least number of tasks that should run."
  type        = map(object({ name = string, arn = string, min_tasks = number }))
  nullable    = false
}

variable "waker_function_name" {
  description = "The function that wakes the worker (modules/waker); null where the worker never sleeps. With it a worker that is not there is no alarm, but one that is not woken is."
  type        = string
  default     = null
}

variable "alarms" {
  description = "\"all\", or \"essential\": callers are turned away, or work is not done. Each alarm costs a tenth of a dollar a month. \"none\" where nobody would read them: no alarm, no topic, no rule."
  type        = string
  default     = "all"
  nullable    = false

  validation {
    condition     = contains(["all", "essential", "none"], var.alarms)
    error_message = "alarms is \"all\", \"essential\" or \"none\"."
  }
}

variable "dashboard_enabled" {
  description = "Whether there is a dashboard, for three dollars a month."
  type        = bool
  default     = true
  nullable    = false
}

variable "queues" {
  description = "Task queues whose backlog is watched."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.queues) > 0
    error_message = "There is one queue at least."
  }
}

variable "shops" {
  description = "Shops whose open breaks are watched (ORDERS_SHOP__NAME)."
  type        = list(string)
  default     = ["main"]
  nullable    = false
}

variable "metrics_namespace" {
  description = "CloudWatch namespace into which the worker reports."
  type        = string
  nullable    = false
}

variable "database" {
  description = "The database: its engine and identifier, and the limits above (capacity, in ACU) or below (free storage, in GB) which it is in trouble."
  type = object({
    engine           = string
    identifier       = string
    max_capacity_acu = number
    storage_gb       = number
  })
  nullable = false

  validation {
    condition     = contains(["aurora-mysql", "mariadb"], var.database.engine)
    error_message = "database.engine is \"aurora-mysql\" or \"mariadb\"."
  }
}

variable "max_connections" {
  description = "Connections to the database above which somebody is told: pools of all tasks, with some room."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.max_connections >= 1
    error_message = "max_connections is 1 or more."
  }
}

variable "server_errors_limit" {
  description = "Answers 5xx of the API in five minutes from which somebody is told."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.server_errors_limit >= 1
    error_message = "server_errors_limit is 1 or more."
  }
}

variable "backlog_age_limit_seconds" {
  description = "Age of the oldest waiting task of a queue above which somebody is told, in seconds: more tasks did not help."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = var.backlog_age_limit_seconds >= 60
    error_message = "backlog_age_limit_seconds is 60 or more."
  }
}
