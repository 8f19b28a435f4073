# One database, of one of two engines. Its master password is made, kept and turned over by RDS; Terraform never sees it.
# Programs do not use it: the deploy task makes a user for the application, with rights on rows only.

locals {
  is_aurora = var.engine == "aurora-mysql"
  port      = 3306
  # Partial versions: a minor upgrade in the maintenance window must not look like a difference afterwards.
  engine_version = coalesce(var.engine_version, local.is_aurora ? "8.0" : "11.4")
  log_kind       = local.is_aurora ? "cluster" : "instance"
  logs           = local.is_aurora ? toset(["audit", "error", "slowquery"]) : toset(["error", "slowquery"])
  # Told apart by what the database was made from: the one after a restore gets a final snapshot, too.
  final_snapshot = "${var.prefix}-final-${substr(sha1(coalesce(var.snapshot_identifier, "new")), 0, 8)}"
  identifier     = var.prefix
}

resource "aws_db_subnet_group" "this" {
  name        = var.prefix
  description = "Where the database of ${var.prefix} may stand"
  subnet_ids  = var.subnet_ids
}

resource "aws_security_group" "this" {
  name        = "${var.prefix}-database"
  description = "The database of ${var.prefix}: from the worker's tasks, to nobody"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.prefix}-database" }
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  security_group_id            = aws_security_group.this.id
  description                  = "MySQL from the tasks of the worker and of the deploy"
  referenced_security_group_id = var.client_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

# Made here, not by RDS at the first line: so they have a retention and go with the database.
resource "aws_cloudwatch_log_group" "this" {
  # checkov:skip=CKV_AWS_338:how long logs are kept is the environment's decision, with a year as the default
  for_each = local.logs

  name              = "/aws/rds/${local.log_kind}/${local.identifier}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_iam_role" "monitoring" {
  count = var.detailed_monitoring_enabled ? 1 : 0

  name                 = "${var.prefix}-database-monitoring"
  description          = "RDS writes the figures of the operating system"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "monitoring.rds.amazonaws.com" }
    }]
  })
}

data "aws_partition" "current" {}

resource "aws_iam_role_policy_attachment" "monitoring" {
  count = var.detailed_monitoring_enabled ? 1 : 0

  role       = aws_iam_role.monitoring[0].name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
