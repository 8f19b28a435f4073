resource "aws_rds_cluster_parameter_group" "this" {
  count = local.is_aurora ? 1 : 0

  name        = "${var.prefix}-aurora-mysql8-0"
  family      = "aurora-mysql8.0"
  description = "TLS or nothing; Unicode; slow queries and sign-ins are logged"

  parameter {
    name  = "require_secure_transport"
    value = "ON"
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
    name  = "server_audit_logging"
    value = "1"
  }

  # Who came, and what changed in the schema. Not QUERY_DCL: statements that set passwords would be written down.
  parameter {
    name  = "server_audit_events"
    value = "CONNECT,QUERY_DDL"
  }
}

resource "aws_rds_cluster" "this" {
  # checkov:skip=CKV_AWS_162:sign-in by IAM is one more door; nobody has a key to it
  # checkov:skip=CKV_AWS_326:backups restore to any second; backtrack would only be quicker, and cannot be added later
  # checkov:skip=CKV_AWS_139:a variable; only throwaway environments switch it off
  # checkov:skip=CKV2_AWS_8:the cluster's own backups are on; a backup plan is the account's
  count = local.is_aurora ? 1 : 0

  cluster_identifier              = local.identifier
  engine                          = "aurora-mysql"
  engine_mode                     = "provisioned" # the word that Serverless v2 goes by
  engine_version                  = local.engine_version
  database_name                   = var.database_name
  db_subnet_group_name            = aws_db_subnet_group.this.name
  vpc_security_group_ids          = [aws_security_group.this.id]
  port                            = local.port
  db_cluster_parameter_group_name = aws_rds_cluster_parameter_group.this[0].name

  master_username               = "orders_admin"
  manage_master_user_password   = true
  master_user_secret_kms_key_id = var.kms_key_arn
  storage_encrypted             = true
  kms_key_id                    = var.kms_key_arn

  backup_retention_period         = var.backup_retention_days
  preferred_backup_window         = "02:00-03:00"
  preferred_maintenance_window    = "sun:03:30-sun:04:30"
  copy_tags_to_snapshot           = true
  delete_automated_backups        = true
  deletion_protection             = var.deletion_protection
  skip_final_snapshot             = !var.final_snapshot_enabled
  final_snapshot_identifier       = var.final_snapshot_enabled ? local.final_snapshot : null
  snapshot_identifier             = var.snapshot_identifier
  enabled_cloudwatch_logs_exports = ["audit", "error", "slowquery"]

  serverlessv2_scaling_configuration {
    min_capacity             = var.min_capacity_acu
    max_capacity             = var.max_capacity_acu
    seconds_until_auto_pause = var.min_capacity_acu == 0 ? 300 : null # the least that there is
  }

  depends_on = [aws_cloudwatch_log_group.this]
}

resource "aws_rds_cluster_instance" "this" {
  # checkov:skip=CKV_AWS_118:a variable, on in production
  # checkov:skip=CKV_AWS_353:a variable, on in production
  for_each = toset(!local.is_aurora ? [] : var.multi_zone ? ["1", "2"] : ["1"])

  identifier                      = "${local.identifier}-${each.key}"
  cluster_identifier              = aws_rds_cluster.this[0].id
  engine                          = aws_rds_cluster.this[0].engine
  instance_class                  = "db.serverless"
  db_subnet_group_name            = aws_db_subnet_group.this.name
  publicly_accessible             = false
  auto_minor_version_upgrade      = true
  copy_tags_to_snapshot           = true
  performance_insights_enabled    = var.detailed_monitoring_enabled
  performance_insights_kms_key_id = var.detailed_monitoring_enabled ? var.kms_key_arn : null
  monitoring_interval             = var.detailed_monitoring_enabled ? 60 : 0
  monitoring_role_arn             = one(aws_iam_role.monitoring[*].arn)
}
