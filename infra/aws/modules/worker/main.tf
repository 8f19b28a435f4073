# The cluster, the logs, and how tasks meet the network: out, never in. A worker polls; nobody calls it.

data "aws_region" "current" {}
data "aws_partition" "current" {}
data "aws_caller_identity" "current" {}

resource "aws_ecs_cluster" "this" {
  # checkov:skip=CKV_AWS_65:Container Insights is a variable, on in production; the alarms do not need it
  name = var.prefix

  setting {
    name  = "containerInsights"
    value = var.container_insights_enabled ? "enabled" : "disabled"
  }
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
}

resource "aws_cloudwatch_log_group" "worker" {
  # checkov:skip=CKV_AWS_338:how long logs are kept is the environment's decision, with a year as the default
  name              = "/ecs/${var.prefix}/worker"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_cloudwatch_log_group" "deploy" {
  # checkov:skip=CKV_AWS_338:how long logs are kept is the environment's decision, with a year as the default
  name              = "/ecs/${var.prefix}/deploy"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_security_group" "this" {
  name        = "${var.prefix}-worker"
  description = "Tasks of ${var.prefix}: they call, nobody calls them"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.prefix}-worker" }
}

resource "aws_vpc_security_group_egress_rule" "internet" {
  for_each = merge({ "443" = "HTTPS: AWS, the payment provider, the shop, the warehouse" }, var.egress_ports)

  security_group_id = aws_security_group.this.id
  description       = each.value
  # Temporal, the provider and the shop publish no fixed addresses to narrow this to.
  cidr_ipv4   = "0.0.0.0/0"
  ip_protocol = "tcp"
  from_port   = tonumber(each.key)
  to_port     = tonumber(each.key)
}

resource "aws_vpc_security_group_egress_rule" "database" {
  security_group_id            = aws_security_group.this.id
  description                  = "MySQL to the database"
  referenced_security_group_id = var.database_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.database_port
  to_port                      = var.database_port
}
