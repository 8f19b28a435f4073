variable "prefix" {
  description = "Leads every name: \"<name>-<environment>\"."
  type        = string
  nullable    = false
}

variable "engine" {
  description = "\"aurora-mysql\" (Serverless v2: grows and shrinks by itself, survives a zone) or \"mariadb\" (one RDS instance: cheapest)."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["aurora-mysql", "mariadb"], var.engine)
    error_message = "engine is \"aurora-mysql\" or \"mariadb\"."
  }
}

variable "engine_version" {
  description = "Version of the engine; null takes AWS's default of the family (Aurora MySQL 8.0, MariaDB 11.4), and its later minor upgrades are no difference to a plan."
  type        = string
  default     = null

  validation {
    condition     = var.engine_version == null || can(regex(var.engine == "mariadb" ? "^11\\.4(\\.|$)" : "^8\\.0(\\.|$)", var.engine_version))
    error_message = "engine_version is one of Aurora MySQL 8.0 (8.0.mysql_aurora.3...) or of MariaDB 11.4."
  }
}

variable "vpc_id" {
  description = "The VPC of the subnets."
  type        = string
  nullable    = false
}

variable "subnet_ids" {
  description = "Subnets of the database, in two zones or more."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "RDS wants two subnets, in two zones, even for one instance."
  }
}

variable "client_security_group_id" {
  description = "The one security group that may connect: the tasks' of the worker and of the deploy."
  type        = string
  nullable    = false
}

variable "database_name" {
  description = "Name of the database that the deploy task makes and migrates."
  type        = string
  default     = "orders"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,62}$", var.database_name))
    error_message = "database_name is small letters, digits and underscores, beginning with a letter."
  }
}

variable "min_capacity_acu" {
  description = "Aurora: the least capacity, in ACU (2 GiB of memory each); 0 pauses the database when nothing has been connected for five minutes."
  type        = number
  default     = 0.5
  nullable    = false

  validation {
    condition     = var.min_capacity_acu >= 0 && var.min_capacity_acu <= 256 && var.min_capacity_acu * 2 == floor(var.min_capacity_acu * 2)
    error_message = "min_capacity_acu is from 0 to 256 in steps of 0.5."
  }

  validation {
    condition     = var.min_capacity_acu > 0 || !can(regex("mysql_aurora\\.3\\.0[0-7]\\.", coalesce(var.engine_version, "8.0")))
    error_message = "Aurora MySQL pauses from 3.08.0 on."
  }
}

variable "max_capacity_acu" {
  description = "Aurora: the most capacity, in ACU: the ceiling of the bill."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.max_capacity_acu >= max(1, var.min_capacity_acu) && var.max_capacity_acu <= 256
    error_message = "max_capacity_acu is at least 1 and min_capacity_acu, and at most 256."
  }
}

variable "instance_class" {
  description = "MariaDB: the instance's class."
  type        = string
  default     = "db.t4g.micro"
  nullable    = false

  validation {
    condition     = can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.instance_class)) && var.instance_class != "db.serverless"
    error_message = "instance_class is one of RDS, for example db.t4g.micro."
  }
}

variable "storage_gb" {
  description = "MariaDB: the disk to begin with, in GB."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.storage_gb >= 20
    error_message = "A gp3 disk has 20 GB at least."
  }
}

variable "max_storage_gb" {
  description = "MariaDB: up to where the disk grows by itself, in GB."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.max_storage_gb >= var.storage_gb * 1.1
    error_message = "max_storage_gb is a tenth more than storage_gb at least."
  }
}

variable "multi_zone" {
  description = "Whether a second instance stands by in another zone."
  type        = bool
  default     = true
  nullable    = false
}

variable "backup_retention_days" {
  description = "For how many days the database can be restored to any second."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 35
    error_message = "backup_retention_days is from 1 to 35."
  }
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the database."
  type        = bool
  default     = true
  nullable    = false
}

variable "final_snapshot_enabled" {
  description = "Whether a last snapshot is taken, and stays, when the database is destroyed."
  type        = bool
  default     = true
  nullable    = false
}

variable "snapshot_identifier" {
  description = "Restore: make the database from this snapshot. A change replaces the database; leave the value in place afterwards."
  type        = string
  default     = null
}

variable "detailed_monitoring_enabled" {
  description = "Performance Insights and the operating system's figures every minute. Not for the micro and small classes of MariaDB."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.detailed_monitoring_enabled || var.engine != "mariadb" || !can(regex("\\.(micro|small)$", var.instance_class))
    error_message = "Micro and small instances have no Performance Insights."
  }
}

variable "log_retention_days" {
  description = "How long the database's logs are kept, in days."
  type        = number
  default     = 365
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key of the storage, of the master password and of the logs; null leaves them to AWS's own keys."
  type        = string
  default     = null
}

variable "permissions_boundary_arn" {
  description = "Policy that bounds whatever the monitoring's role is ever granted; needed where a bounded pipeline applies. Null: none."
  type        = string
  default     = null
}
