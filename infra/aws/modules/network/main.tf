# A VPC of three kinds of subnets: public (tasks with an address of their own, or the NAT gateways), private (tasks behind
# NAT) and database (no way to or from the internet at all). Or somebody else's VPC, of which nothing is changed.

locals {
  created = var.mode == "create"
  # RDS wants subnets in two zones even for an instance that lives in one.
  database_zones = local.created ? max(2, var.zone_count) : 0
  task_zones     = local.created ? var.zone_count : 0
  private_zones  = var.egress == "public_ip" ? 0 : local.task_zones
  nat_zones      = { public_ip = 0, nat = min(1, local.task_zones), nat_per_zone = local.task_zones }[var.egress]

  # Keys are numbers of zones, not their names: they are known before anything is asked of AWS.
  public   = toset([for index in range(local.task_zones) : tostring(index + 1)])
  private  = toset([for index in range(local.private_zones) : tostring(index + 1)])
  database = toset([for index in range(local.database_zones) : tostring(index + 1)])
  nat      = toset([for index in range(local.nat_zones) : tostring(index + 1)])

  public_subnet_ids   = local.created ? [for zone in sort(local.public) : aws_subnet.public[zone].id] : var.public_subnet_ids
  private_subnet_ids  = local.created ? [for zone in sort(local.private) : aws_subnet.private[zone].id] : var.private_subnet_ids
  database_subnet_ids = local.created ? [for zone in sort(local.database) : aws_subnet.database[zone].id] : var.database_subnet_ids
  task_subnet_ids     = var.egress == "public_ip" ? local.public_subnet_ids : local.private_subnet_ids
  vpc_id              = local.created ? one(aws_vpc.this[*].id) : var.vpc_id
}

data "aws_availability_zones" "these" {
  # checkov:skip=CKV_AWS_394:a subnet keeps its zone once it is made (ignore_changes), whatever becomes of the list
  count = local.created ? 1 : 0
  state = "available"

  # Not the local zones, which have to be opted into and lack half of the services.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

resource "aws_vpc" "this" {
  count = local.created ? 1 : 0

  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = { Name = var.prefix }
}

# Whatever forgets to name its security group gets this one, which lets nothing through.
resource "aws_default_security_group" "this" {
  count = local.created ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = { Name = "${var.prefix}-default-unused" }
}

resource "aws_internet_gateway" "this" {
  count = local.created ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = { Name = var.prefix }
}

resource "aws_subnet" "public" {
  for_each = local.public

  vpc_id            = aws_vpc.this[0].id
  availability_zone = data.aws_availability_zones.these[0].names[tonumber(each.key) - 1]
  cidr_block        = cidrsubnet(var.cidr, 4, tonumber(each.key) - 1)
  # A task is given an address by its service, nothing else by accident.
  map_public_ip_on_launch = false
  tags                    = { Name = "${var.prefix}-public-${each.key}" }

  lifecycle {
    ignore_changes = [availability_zone] # the list of zones may change; a subnet cannot move
  }
}

resource "aws_subnet" "private" {
  for_each = local.private

  vpc_id                  = aws_vpc.this[0].id
  availability_zone       = data.aws_availability_zones.these[0].names[tonumber(each.key) - 1]
  cidr_block              = cidrsubnet(var.cidr, 4, tonumber(each.key) + 3)
  map_public_ip_on_launch = false
  tags                    = { Name = "${var.prefix}-private-${each.key}" }

  lifecycle {
    ignore_changes = [availability_zone] # the list of zones may change; a subnet cannot move
  }
}

resource "aws_subnet" "database" {
  for_each = local.database

  vpc_id                  = aws_vpc.this[0].id
  availability_zone       = data.aws_availability_zones.these[0].names[tonumber(each.key) - 1]
  cidr_block              = cidrsubnet(var.cidr, 4, tonumber(each.key) + 7)
  map_public_ip_on_launch = false
  tags                    = { Name = "${var.prefix}-database-${each.key}" }

  lifecycle {
    ignore_changes = [availability_zone] # the list of zones may change; a subnet cannot move
  }
}
