# One key for what this environment keeps: database, files, logs, alarms. The services that use it are named, and only on
# behalf of this account.
resource "aws_kms_key" "this" {
  count = var.customer_managed_key ? 1 : 0

  description             = "${local.prefix}: database, files, logs, alarms"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TheAccountDecides"
        Effect    = "Allow"
        Principal = { AWS = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root" }
        # A key's policy speaks of this key only ("*"), and without this statement IAM could give no rights on it.
        Action   = ["kms:*"]
        Resource = ["*"]
      },
      {
        Sid       = "LogsOfThisEnvironment"
        Effect    = "Allow"
        Principal = { Service = "logs.${data.aws_region.current.name}.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
        Resource  = ["*"] # this key
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:${data.aws_partition.current.partition}:logs:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:log-group:*" } }
      },
      {
        Sid       = "AlarmsOfThisAccount"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = ["*"] # this key
        Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
      },
      {
        # EventBridge does not say on whose behalf it uses a key (a condition on that would silently drop every message),
        # but SNS says for which topic: the one of the alarms.
        Sid       = "EventsToTheTopicOfAlarms"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = ["*"] # this key
        Condition = { StringEquals = { "kms:EncryptionContext:aws:sns:topicArn" = "arn:${data.aws_partition.current.partition}:sns:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:${local.prefix}-alarms" } }
      },
    ]
  })
}

resource "aws_kms_alias" "this" {
  count = var.customer_managed_key ? 1 : 0

  name          = "alias/${local.prefix}"
  target_key_id = aws_kms_key.this[0].key_id
}

locals {
  kms_key_arn = one(aws_kms_key.this[*].arn)
}

module "network" {
  source = "./modules/network"

  prefix                      = local.prefix
  mode                        = var.network.mode
  vpc_id                      = var.network.vpc_id
  public_subnet_ids           = var.network.public_subnet_ids
  private_subnet_ids          = var.network.private_subnet_ids
  database_subnet_ids         = var.network.database_subnet_ids
  cidr                        = var.network.cidr
  zone_count                  = var.network.zone_count
  egress                      = var.network.egress
  interface_endpoints_enabled = var.network.interface_endpoints_enabled
  flow_logs_enabled           = var.network.flow_logs_enabled
  permissions_boundary_arn    = var.permissions_boundary_arn
  log_retention_days          = var.log_retention_days
  kms_key_arn                 = local.kms_key_arn
}

module "database" {
  source = "./modules/database"

  prefix                      = local.prefix
  engine                      = var.database.engine
  engine_version              = var.database.engine_version
  database_name               = var.database.name
  min_capacity_acu            = var.database.min_capacity_acu
  max_capacity_acu            = var.database.max_capacity_acu
  instance_class              = var.database.instance_class
  storage_gb                  = var.database.storage_gb
  max_storage_gb              = var.database.max_storage_gb
  multi_zone                  = var.database.multi_zone
  backup_retention_days       = var.database.backup_retention_days
  final_snapshot_enabled      = var.database.final_snapshot_enabled
  snapshot_identifier         = var.database.snapshot_identifier
  detailed_monitoring_enabled = var.database.detailed_monitoring_enabled
  permissions_boundary_arn    = var.permissions_boundary_arn
  deletion_protection         = var.deletion_protection
  vpc_id                      = module.network.vpc_id
  subnet_ids                  = module.network.database_subnet_ids
  client_security_group_id    = module.worker.security_group_id
  log_retention_days          = var.log_retention_days
  kms_key_arn                 = local.kms_key_arn
}

module "storage" {
  source = "./modules/storage"

  prefix             = local.prefix
  kms_key_arn        = local.kms_key_arn
  force_destroy      = !var.deletion_protection
  run_retention_days = var.run_retention_days
}
