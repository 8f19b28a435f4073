variable "prefix" {
  description = "Leads every name: \"<name>-<environment>\"."
  type        = string
  nullable    = false
}

variable "mode" {
  description = "\"create\" makes a VPC; \"existing\" uses the one of the three *_subnet_ids variables and makes nothing but what is asked for."
  type        = string
  default     = "create"
  nullable    = false

  validation {
    condition     = contains(["create", "existing"], var.mode)
    error_message = "mode is \"create\" or \"existing\"."
  }
}

variable "vpc_id" {
  description = "The VPC to use in mode \"existing\"."
  type        = string
  default     = null

  validation {
    condition     = (var.mode == "existing") == (var.vpc_id != null)
    error_message = "vpc_id belongs to mode \"existing\", and only to it."
  }
}

variable "public_subnet_ids" {
  description = "Mode \"existing\": subnets with a route to an internet gateway; tasks run there when egress is \"public_ip\"."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = var.mode != "existing" || var.egress != "public_ip" || length(var.public_subnet_ids) > 0
    error_message = "With egress \"public_ip\" an existing network must name public_subnet_ids."
  }
}

variable "private_subnet_ids" {
  description = "Mode \"existing\": subnets whose way out is a NAT gateway; tasks run there unless egress is \"public_ip\"."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = var.mode != "existing" || var.egress == "public_ip" || length(var.private_subnet_ids) > 0
    error_message = "Without egress \"public_ip\" an existing network must name private_subnet_ids."
  }
}

variable "database_subnet_ids" {
  description = "Mode \"existing\": subnets of the database, in two zones or more (RDS insists)."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = var.mode != "existing" || length(var.database_subnet_ids) >= 2
    error_message = "An existing network must name two database_subnet_ids or more."
  }
}

variable "cidr" {
  description = "Addresses of the VPC that is made, /16 to /22; a sixteenth of it is a subnet."
  type        = string
  default     = "10.40.0.0/16"
  nullable    = false

  validation {
    condition     = can(cidrnetmask(var.cidr)) && can(regex("/(1[6-9]|2[0-2])$", var.cidr))
    error_message = "cidr is an IPv4 range from /16 to /22, for example 10.40.0.0/16."
  }
}

variable "zone_count" {
  description = "In how many availability zones tasks run. The database's subnets span two at least."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = contains([1, 2, 3], var.zone_count)
    error_message = "zone_count is 1, 2 or 3."
  }
}

variable "egress" {
  description = "How tasks reach the internet: \"public_ip\" (an address each, no NAT: cheapest), \"nat\" (one gateway), \"nat_per_zone\" (a zone may fail)."
  type        = string
  default     = "nat"
  nullable    = false

  validation {
    condition     = contains(["public_ip", "nat", "nat_per_zone"], var.egress)
    error_message = "egress is \"public_ip\", \"nat\" or \"nat_per_zone\"."
  }
}

variable "interface_endpoints_enabled" {
  description = "Reach ECR, Secrets Manager and CloudWatch Logs by endpoints in the task subnets instead of by the internet. Costs by endpoint, zone and hour."
  type        = bool
  default     = false
  nullable    = false
}

variable "flow_logs_enabled" {
  description = "Record the rejected connections of the VPC that is made."
  type        = bool
  default     = true
  nullable    = false
}

variable "log_retention_days" {
  description = "How long flow logs are kept, in days."
  type        = number
  default     = 365
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key of the flow logs; null leaves them to the key of CloudWatch Logs."
  type        = string
  default     = null
}

variable "permissions_boundary_arn" {
  description = "Policy that bounds whatever the flow logs' role is ever granted; needed where a bounded pipeline applies. Null: none."
  type        = string
  default     = null
}
