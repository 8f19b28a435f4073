# An environment to try things in: the smallest of everything, in one zone; asleep while nobody uses it, and nothing stays
# when it is destroyed.

locals {
  name        = "orders"
  environment = "dev"

  # Each run wakes the worker and the database: once in four weeks, one soon after the other, instead of every hour. Anybody can
  # start one at any time, and worker_settings wins.
  schedules = {
    ORDERS_SCHEDULES__MAIN_STRIPE_LIGHT__INTERVAL_SECONDS = "2419200"
    ORDERS_SCHEDULES__MAIN_STRIPE__INTERVAL_SECONDS       = "2419200"
    ORDERS_SCHEDULES__MAIN_STRIPE__OFFSET_SECONDS         = "900"
  }
}

module "orders" {
  source = "../.."

  name                     = local.name
  environment              = local.environment
  release                  = var.release
  artifact_bucket          = var.artifact_bucket
  worker_repository_url    = var.worker_repository_url
  temporal                 = var.temporal
  worker_settings          = merge(local.schedules, var.worker_settings)
  alarm_email              = var.alarm_email
  permissions_boundary_arn = var.permissions_boundary_arn

  # Costs nothing; the bootstrap makes dev's secrets there, too (its variable secret_stores).
  secret_store = "parameter_store"

  # No NAT gateway: tasks have addresses of their own, and a security group that lets nothing in.
  network = {
    zone_count        = 1
    egress            = "public_ip"
    flow_logs_enabled = false
  }

  # It pauses when nothing is connected, which is when the worker sleeps.
  database = {
    engine                 = "aurora-mysql"
    min_capacity_acu       = 0
    max_capacity_acu       = 1
    multi_zone             = false
    backup_retention_days  = 1
    final_snapshot_enabled = false
    snapshot_identifier    = var.snapshot_identifier
  }

  worker_groups = {
    all = {
      queues    = ["orders", "events", "users", "outbound", "reconciliation"]
      cpu       = 256
      memory_mb = 1024
      min_tasks = 1
      max_tasks = 1
    }
  }

  sleep = { after_minutes = 15 }

  # What costs by the month, used or not: no dashboard, and two alarms only where somebody reads them.
  watching = {
    alarms            = var.alarm_email == null ? "none" : "essential"
    dashboard_enabled = false
  }

  log_retention_days   = 7
  customer_managed_key = false
  deletion_protection  = false
}
