variable "region" {
  description = "AWS region; null takes the one of the AWS variables or profile."
  type        = string
  default     = null
}

variable "release" {
  description = "The release that runs, as `make publish` named it: upgrade and rollback are this variable."
  type        = string
  nullable    = false
}

variable "artifact_bucket" {
  description = "Output artifact_bucket of the bootstrap."
  type        = string
  nullable    = false
}

variable "worker_repository_url" {
  description = "Output worker_repository_url of the bootstrap."
  type        = string
  nullable    = false
}

variable "temporal" {
  description = "How to reach Temporal: address (host:port), namespace, auth (\"api_key\", \"mtls\", \"none\"); see the module's README."
  type = object({
    address     = string
    namespace   = string
    auth        = string
    tls         = optional(bool)
    server_name = optional(string)
    private     = optional(bool, false)
  })
  nullable = false
}

variable "worker_settings" {
  description = "Settings of the worker, ORDERS_<SECTION>__<KEY>, without secrets: the addresses of shop, warehouse and mail relay at least."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "alarm_email" {
  description = "Address that is written to when one of two alarms begins or ends (it must confirm once); null has no alarms."
  type        = string
  default     = null
}

variable "permissions_boundary_arn" {
  description = "Of this environment in output boundary_arns of the bootstrap, when a pipeline applies; null when an engineer does."
  type        = string
  default     = null
}

variable "snapshot_identifier" {
  description = "Restore: make the database from this snapshot. A change replaces the database; leave the value in place afterwards."
  type        = string
  default     = null
}
