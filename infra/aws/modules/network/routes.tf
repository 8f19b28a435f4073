resource "aws_eip" "nat" {
  for_each = local.nat

  domain = "vpc"
  tags   = { Name = "${var.prefix}-nat-${each.key}" }

  depends_on = [aws_internet_gateway.this]
}

resource "aws_nat_gateway" "this" {
  for_each = local.nat

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.public[each.key].id
  tags          = { Name = "${var.prefix}-${each.key}" }
}

resource "aws_route_table" "public" {
  count = local.created ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = { Name = "${var.prefix}-public" }
}

resource "aws_route" "internet" {
  count = local.created ? 1 : 0

  route_table_id         = aws_route_table.public[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
}

resource "aws_route_table_association" "public" {
  for_each = local.public

  subnet_id      = aws_subnet.public[each.key].id
  route_table_id = aws_route_table.public[0].id
}

resource "aws_route_table" "private" {
  for_each = local.private

  vpc_id = aws_vpc.this[0].id
  tags   = { Name = "${var.prefix}-private-${each.key}" }
}

resource "aws_route" "nat" {
  for_each = local.private

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  # With one gateway for all zones, theirs is the first.
  nat_gateway_id = aws_nat_gateway.this[contains(local.nat, each.key) ? each.key : "1"].id
}

resource "aws_route_table_association" "private" {
  for_each = local.private

  subnet_id      = aws_subnet.private[each.key].id
  route_table_id = aws_route_table.private[each.key].id
}

# No route but the VPC's own: the database neither reaches the internet nor is reached from it.
resource "aws_route_table" "database" {
  count = local.created ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = { Name = "${var.prefix}-database" }
}

resource "aws_route_table_association" "database" {
  for_each = local.database

  subnet_id      = aws_subnet.database[each.key].id
  route_table_id = aws_route_table.database[0].id
}
