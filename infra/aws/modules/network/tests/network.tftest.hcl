mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  prefix = "orders-test"
}

run "by_default_tasks_are_behind_one_nat_gateway_in_two_zones" {
  command = plan

  assert {
    condition     = length(aws_subnet.public) == 2 && length(aws_subnet.private) == 2 && length(aws_subnet.database) == 2
    error_message = "two subnets of each kind"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_route.nat) == 2
    error_message = "both zones leave by the one gateway"
  }

  assert {
    condition     = length(toset([for subnet in concat(values(aws_subnet.public), values(aws_subnet.private), values(aws_subnet.database)) : subnet.cidr_block])) == 6
    error_message = "no two subnets have the same addresses"
  }

  assert {
    condition     = alltrue([for subnet in concat(values(aws_subnet.public), values(aws_subnet.private), values(aws_subnet.database)) : !subnet.map_public_ip_on_launch])
    error_message = "nothing gets a public address by accident"
  }

  assert {
    condition     = length(aws_vpc_endpoint.s3) == 1 && length(aws_vpc_endpoint.interface) == 0
    error_message = "the free endpoint always, those that cost on demand"
  }

  assert {
    condition     = length(aws_flow_log.this) == 1 && aws_flow_log.this[0].traffic_type == "REJECT"
    error_message = "rejected connections are recorded"
  }

  assert {
    condition     = !output.assign_public_ip && length(output.task_subnet_ids) == 2
    error_message = "tasks are in the private subnets"
  }
}

run "with_public_addresses_there_is_no_nat_and_no_private_subnet" {
  command = plan

  variables {
    egress            = "public_ip"
    zone_count        = 1
    flow_logs_enabled = false
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_eip.nat) == 0 && length(aws_subnet.private) == 0 && length(aws_subnet.public) == 1
    error_message = "one public subnet, and nothing that costs"
  }

  assert {
    condition     = length(aws_subnet.database) == 2
    error_message = "RDS wants two zones even then"
  }

  assert {
    condition     = output.assign_public_ip && length(aws_flow_log.this) == 0 && length(aws_iam_role.flow) == 0
    error_message = "tasks have addresses of their own; no flow logs"
  }
}

run "a_gateway_for_every_zone" {
  command = plan

  variables {
    egress     = "nat_per_zone"
    zone_count = 3
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(aws_route_table.private) == 3
    error_message = "three zones, three gateways"
  }
}

run "interface_endpoints_listen_to_the_vpc_only" {
  command = plan

  variables {
    interface_endpoints_enabled = true
  }

  assert {
    condition     = toset(keys(aws_vpc_endpoint.interface)) == toset(["ecr.api", "ecr.dkr", "logs", "secretsmanager"])
    error_message = "what a task needs to start"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.endpoints[0].cidr_ipv4 == "10.40.0.0/16" && aws_vpc_security_group_ingress_rule.endpoints[0].from_port == 443
    error_message = "HTTPS from within"
  }
}

run "an_existing_network_is_left_as_it_is" {
  command = plan

  variables {
    mode                = "existing"
    vpc_id              = "vpc-1"
    private_subnet_ids  = ["subnet-p1", "subnet-p2"]
    database_subnet_ids = ["subnet-d1", "subnet-d2"]
  }

  assert {
    condition     = length(aws_vpc.this) == 0 && length(aws_subnet.public) == 0 && length(aws_subnet.database) == 0 && length(aws_vpc_endpoint.s3) == 0 && length(aws_flow_log.this) == 0
    error_message = "nothing is made"
  }

  assert {
    condition     = output.vpc_id == "vpc-1" && output.task_subnet_ids == tolist(["subnet-p1", "subnet-p2"]) && output.database_subnet_ids == tolist(["subnet-d1", "subnet-d2"])
    error_message = "what was given is what is used"
  }
}

run "an_existing_network_with_endpoints_lets_in_its_own_addresses" {
  command = plan

  variables {
    mode                        = "existing"
    vpc_id                      = "vpc-1"
    private_subnet_ids          = ["subnet-p1"]
    database_subnet_ids         = ["subnet-d1", "subnet-d2"]
    interface_endpoints_enabled = true
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.endpoints[0].cidr_ipv4 == "10.99.0.0/16"
    error_message = "the addresses of the existing VPC"
  }
}

run "refuses_an_unknown_mode" {
  command = plan
  variables {
    mode = "shared"
  }
  expect_failures = [var.mode]
}

run "refuses_a_vpc_that_it_would_not_use" {
  command = plan
  variables {
    vpc_id = "vpc-1"
  }
  expect_failures = [var.vpc_id]
}

run "refuses_an_existing_network_without_subnets" {
  command = plan

  variables {
    mode   = "existing"
    vpc_id = "vpc-1"
  }

  expect_failures = [var.private_subnet_ids, var.database_subnet_ids]
}

run "refuses_an_existing_network_without_public_subnets_for_public_addresses" {
  command = plan

  variables {
    mode                = "existing"
    vpc_id              = "vpc-1"
    egress              = "public_ip"
    database_subnet_ids = ["subnet-d1", "subnet-d2"]
  }

  expect_failures = [var.public_subnet_ids]
}

run "refuses_a_range_that_is_too_small" {
  command = plan
  variables {
    cidr = "10.0.0.0/24"
  }
  expect_failures = [var.cidr]
}

run "refuses_four_zones" {
  command = plan
  variables {
    zone_count = 4
  }
  expect_failures = [var.zone_count]
}

run "refuses_an_unknown_way_out" {
  command = plan
  variables {
    egress = "vpn"
  }
  expect_failures = [var.egress]
}
