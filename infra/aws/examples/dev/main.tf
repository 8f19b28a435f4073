# An environment to try things in: the smallest of everything, in one zone, and nothing stays when it is destroyed.

locals {
  name        = "orders"
  environment = "dev"
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

  # No NAT gateway: tasks have addresses of their own, and a security group that lets nothing in.
  network = {
    zone_count        = 1
    egress            = "public_ip"
    flow_logs_enabled = false
  }

  # An Aurora that pauses would be cheaper still, but a worker that is connected keeps it awake.
  database = {
    engine                 = "mariadb"
    instance_class         = "db.t4g.micro"
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

  log_retention_days   = 7
  customer_managed_key = false
  deletion_protection  = false
}
