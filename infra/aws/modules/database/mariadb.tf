resource "aws_db_parameter_group" "this" {
  count = local.is_aurora ? 0 : 1

  name        = "${var.prefix}-mariadb11-4"
  family      = "mariadb11.4"
  description = "TLS or nothing; Unicode; slow queries are logged"

  # An instance's group spells ON as 1; a cluster's spells it ON.
  parameter {
    name  = "require_secure_transport"
    value = "1"
  }

  parameter {
    name  = "character_set_server"
    value = "utf8mb4"
  }

  parameter {
    name  = "slow_query_log"
    value = "1"
  }

  parameter {
    name  = "long_query_time"
    value = "1"
  }

  parameter {
    name  = "log_output"
    value = "FILE" # what is exported to CloudWatch; the default is a table
  }
}

resource "aws_db_instance" "this" {
  # checkov:skip=CKV_AWS_118:a variable, on in production
  # checkov:skip=CKV_AWS_157:a variable, on in production
  # checkov:skip=CKV_AWS_293:a variable; only throwaway environments switch it off
  count = local.is_aurora ? 0 : 1

  identifier             = local.identifier
  engine                 = "mariadb"
  engine_version         = local.engine_version
  instance_class         = var.instance_class
  db_name                = var.database_name
  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.this.id]
  port                   = local.port
  parameter_group_name   = aws_db_parameter_group.this[0].name
  multi_az               = var.multi_zone
  publicly_accessible    = false

  username                      = "orders_admin"
  manage_master_user_password   = true
  master_user_secret_kms_key_id = var.kms_key_arn

  allocated_storage     = var.storage_gb
  max_allocated_storage = var.max_storage_gb
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = var.kms_key_arn

  auto_minor_version_upgrade      = true
  backup_retention_period         = var.backup_retention_days
  backup_window                   = "02:00-03:00"
  maintenance_window              = "sun:03:30-sun:04:30"
  copy_tags_to_snapshot           = true
  delete_automated_backups        = true
  deletion_protection             = var.deletion_protection
  skip_final_snapshot             = !var.final_snapshot_enabled
  final_snapshot_identifier       = var.final_snapshot_enabled ? local.final_snapshot : null
  snapshot_identifier             = var.snapshot_identifier
  enabled_cloudwatch_logs_exports = sort(local.logs)

  performance_insights_enabled    = var.detailed_monitoring_enabled
  performance_insights_kms_key_id = var.detailed_monitoring_enabled ? var.kms_key_arn : null
  monitoring_interval             = var.detailed_monitoring_enabled ? 60 : 0
  monitoring_role_arn             = one(aws_iam_role.monitoring[*].arn)

  depends_on = [aws_cloudwatch_log_group.this]
}
