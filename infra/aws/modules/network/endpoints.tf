# The gateway endpoint costs nothing and takes the layers of images and the stored files off the internet (and off NAT).
# The interface endpoints cost by the hour: with little traffic NAT is cheaper, hence the switch. They do not replace NAT:
# the worker calls the payment provider, the shop and the warehouse, which are on the internet.

data "aws_region" "current" {}

data "aws_vpc" "existing" {
  count = local.created ? 0 : 1
  id    = var.vpc_id
}

locals {
  interface_services = var.interface_endpoints_enabled ? toset(["ecr.api", "ecr.dkr", "logs", "secretsmanager"]) : toset([])
  vpc_cidr           = local.created ? var.cidr : one(data.aws_vpc.existing[*].cidr_block)
}

resource "aws_vpc_endpoint" "s3" {
  count = local.created ? 1 : 0

  vpc_id            = aws_vpc.this[0].id
  vpc_endpoint_type = "Gateway"
  service_name      = "com.amazonaws.${data.aws_region.current.name}.s3"
  route_table_ids   = concat(aws_route_table.public[*].id, [for table in aws_route_table.private : table.id])
  tags              = { Name = "${var.prefix}-s3" }
}

resource "aws_security_group" "endpoints" {
  count = var.interface_endpoints_enabled ? 1 : 0

  name        = "${var.prefix}-endpoints"
  description = "Interface endpoints of AWS services: HTTPS from within the VPC"
  vpc_id      = local.vpc_id
  tags        = { Name = "${var.prefix}-endpoints" }
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  count = var.interface_endpoints_enabled ? 1 : 0

  security_group_id = aws_security_group.endpoints[0].id
  description       = "HTTPS from within the VPC"
  cidr_ipv4         = local.vpc_cidr
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_endpoint" "interface" {
  for_each = local.interface_services

  vpc_id              = local.vpc_id
  vpc_endpoint_type   = "Interface"
  service_name        = "com.amazonaws.${data.aws_region.current.name}.${each.key}"
  subnet_ids          = local.task_subnet_ids
  security_group_ids  = aws_security_group.endpoints[*].id
  private_dns_enabled = true
  tags                = { Name = "${var.prefix}-${each.key}" }
}
