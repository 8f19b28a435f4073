variable "prefix" {
  description = "Leads every name: \"<name>-<environment>\"."
  type        = string
  nullable    = false
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

variable "function" {
  description = "What it shares with the other functions of the release, and what it reads: see modules/function, which checks it and knows what stands for what is left out. secret_arns: Temporal's alone, where the server wants to know who we are."
  type = object({
    artifact_bucket          = string
    artifact_key             = string
    artifact_sha256_base64   = string
    runtime                  = optional(string)
    architecture             = optional(string)
    environment              = optional(map(string))
    secret_arns              = optional(list(string))
    secret_kms_key_arns      = optional(list(string))
    kms_key_arn              = optional(string)
    vpc                      = optional(object({ subnet_ids = list(string), security_group_ids = list(string) }))
    permissions_boundary_arn = optional(string)
    log_retention_days       = optional(number)
  })
  nullable = false
}
