variable "prefix" {
  description = "Leads every name: \"<name>-<environment>\"."
  type        = string
  nullable    = false
}

variable "image" {
  description = "The worker's image, with its tag."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex(":[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.image)) && !endswith(var.image, ":latest")
    error_message = "image ends with a tag that means one image for ever; \"latest\" does not."
  }
}

variable "repository_arn" {
  description = "The ECR repository of the image, for the right to pull; null when the image is public or elsewhere."
  type        = string
  default     = null
}

variable "cpu_architecture" {
  description = "Processor that the image was built for: \"ARM64\" (a fifth cheaper) or \"X86_64\"."
  type        = string
  default     = "ARM64"
  nullable    = false

  validation {
    condition     = contains(["ARM64", "X86_64"], var.cpu_architecture)
    error_message = "cpu_architecture is \"ARM64\" or \"X86_64\"."
  }
}

variable "groups" {
  description = "One service each: which task queues it polls, CPU units (1024 are a vCPU), memory in MB, from how many to how many tasks, and whether tasks beyond the first run on spare capacity (spot)."
  type = map(object({
    queues    = list(string)
    cpu       = number
    memory_mb = number
    min_tasks = number
    max_tasks = number
    spot      = optional(bool, false)
  }))
  nullable = false

  validation {
    condition     = length(var.groups) > 0 && alltrue([for name in keys(var.groups) : can(regex("^[a-z][a-z0-9-]{0,19}$", name))])
    error_message = "There is one group at least; a name is up to 20 small letters, digits and hyphens."
  }

  validation {
    condition     = alltrue([for group in values(var.groups) : length(group.queues) > 0 && length(distinct(group.queues)) == length(group.queues)])
    error_message = "A group polls one queue at least, and none twice."
  }

  validation {
    condition = alltrue([for group in values(var.groups) : contains(
      lookup({
        256  = [512, 1024, 2048]
        512  = range(1024, 4097, 1024)
        1024 = range(2048, 8193, 1024)
        2048 = range(4096, 16385, 1024)
        4096 = range(8192, 30721, 1024)
      }, tostring(group.cpu), []), group.memory_mb
    )])
    error_message = "Fargate has tasks of cpu 256 (memory_mb 512, 1024, 2048), 512 (1024 to 4096), 1024 (2048 to 8192), 2048 (4096 to 16384) or 4096 (8192 to 30720), in steps of 1024."
  }

  # The fewest while it is awake; none is the waker's to decide (modules/waker), which also takes none away from work.
  validation {
    condition     = alltrue([for group in values(var.groups) : group.min_tasks >= 1 && group.max_tasks >= group.min_tasks])
    error_message = "min_tasks is 1 or more, max_tasks not less."
  }
}

variable "environment" {
  description = "Variables of every task, without secrets."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "secrets" {
  description = "Variables of the worker that ECS reads from secrets when a task starts: by name, the secret and the key in its JSON."
  type        = map(object({ secret_arn = string, key = string }))
  default     = {}
  nullable    = false
}

variable "parameters" {
  description = "Parameters that ECS hands to the worker whole: by what they are called, the ARN and which of the variables in its JSON the worker is to have."
  type        = map(object({ arn = string, keys = list(string) }))
  default     = {}
  nullable    = false
}

variable "deploy_environment" {
  description = "Further variables of the deploy task, without secrets."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "deploy_secrets" {
  description = "Variables of the deploy task that ECS reads from secrets."
  type        = map(object({ secret_arn = string, key = string }))
  default     = {}
  nullable    = false
}

variable "deploy_parameters" {
  description = "Parameters that ECS hands to the deploy task whole."
  type        = map(object({ arn = string, keys = list(string) }))
  default     = {}
  nullable    = false
}

variable "deploy_writes_secret_arn" {
  description = "The one secret or parameter that the deploy task writes: the application's own connection to the database."
  type        = string
  nullable    = false
}

variable "secret_kms_key_arns" {
  description = "Keys of the secrets or parameters, where they have keys of their own."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key of the logs and of the bucket's objects; null leaves them to AWS's own keys."
  type        = string
  default     = null
}

variable "bucket_arn" {
  description = "The bucket of statements and reports: the worker reads and writes its objects, and deletes none."
  type        = string
  nullable    = false
}

variable "vpc_id" {
  description = "The VPC of the subnets."
  type        = string
  nullable    = false
}

variable "subnet_ids" {
  description = "Subnets of the tasks."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "Tasks need a subnet."
  }
}

variable "assign_public_ip" {
  description = "Whether a task gets a public address, which it needs in a subnet without NAT to reach the internet."
  type        = bool
  default     = false
  nullable    = false
}

variable "egress_ports" {
  description = "TCP ports to which tasks may connect on the internet, with what for; 443 is always among them."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for port in keys(var.egress_ports) : can(tonumber(port)) && try(tonumber(port) >= 1 && tonumber(port) <= 65535, false)])
    error_message = "The keys of egress_ports are ports, from 1 to 65535."
  }
}

variable "database_security_group_id" {
  description = "Security group of the database, to which tasks may connect."
  type        = string
  nullable    = false
}

variable "database_port" {
  description = "TCP port of the database."
  type        = number
  default     = 3306
  nullable    = false
}

variable "metrics_namespace" {
  description = "CloudWatch namespace into which the worker reports the backlogs of its queues."
  type        = string
  nullable    = false
}

variable "backlog_per_poller_target" {
  description = "How many waiting tasks of a queue one worker process is meant to have; autoscaling keeps to it."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.backlog_per_poller_target > 0
    error_message = "backlog_per_poller_target is above 0."
  }
}

variable "backlog_age_limit_seconds" {
  description = "When the oldest waiting task of a queue is older than this, tasks are added at once, in seconds."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.backlog_age_limit_seconds >= 10
    error_message = "backlog_age_limit_seconds is 10 or more: the metric is a minute's."
  }
}

variable "container_insights_enabled" {
  description = "CloudWatch Container Insights of the cluster: figures per task, at a price per figure."
  type        = bool
  default     = false
  nullable    = false
}

variable "log_retention_days" {
  description = "How long the tasks' logs are kept, in days."
  type        = number
  default     = 365
  nullable    = false
}

variable "python" {
  description = "The Python that runs `-m infra.deploy run-task` where Terraform runs: one of the project's virtual environment."
  type        = string
  nullable    = false
}

variable "deploy_task_enabled" {
  description = "Whether apply runs the deploy task before it changes a service. Only tests of plans switch it off."
  type        = bool
  default     = true
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Policy that bounds whatever the tasks' roles are ever granted; needed where a bounded pipeline applies. Null: none."
  type        = string
  default     = null
}
