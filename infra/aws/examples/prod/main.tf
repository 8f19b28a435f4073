# An environment to live on: a zone may fail, nothing is deleted by accident, somebody is told.

locals {
  name        = "orders"
  environment = "prod"
}

module "orders" {
  source = "../.."

  name                     = local.name
  environment              = local.environment
  release                  = var.release
  artifact_bucket          = var.artifact_bucket
  worker_repository_url    = var.worker_repository_url
  temporal                 = var.temporal
  worker_settings          = var.worker_settings
  alarm_email              = var.alarm_email
  permissions_boundary_arn = var.permissions_boundary_arn
  operator_auth            = var.operator_auth
  custom_domain            = var.custom_domain

  network = {
    zone_count = 2
    egress     = "nat_per_zone"
  }

  database = {
    engine                      = "aurora-mysql"
    min_capacity_acu            = 0.5
    max_capacity_acu            = 8
    multi_zone                  = true
    backup_retention_days       = 35
    detailed_monitoring_enabled = true
    snapshot_identifier         = var.snapshot_identifier
  }

  # Two groups: a long reconciliation does not stand in the way of orders.
  worker_groups = {
    orders = {
      queues    = ["orders", "events", "users", "outbound"]
      cpu       = 512
      memory_mb = 1024
      min_tasks = 2
      max_tasks = 8
    }
    reconciliation = {
      queues    = ["reconciliation"]
      cpu       = 512
      memory_mb = 2048
      min_tasks = 1
      max_tasks = 2
    }
  }

  # Reserve concurrency when the account's quota is known: a new account has 10 in all, of which none can be reserved.
  functions = {
    api      = { serves = ["orders", "users", "reconciliations", "health", "description"], memory_mb = 1024 }
    webhooks = { serves = ["webhooks"], memory_mb = 1024 }
  }

  # A flash sale's worth of webhooks; senders try again what is turned away.
  throttling = {
    rate_per_second = 50
    burst           = 100
    routes          = { "POST /webhooks/{source}" = { rate_per_second = 500, burst = 1000 } }
  }

  container_insights_enabled = true
  log_retention_days         = 365
  customer_managed_key       = true
  deletion_protection        = var.deletion_protection
}
