output "vpc_id" {
  description = "The VPC, made or existing."
  value       = local.vpc_id
}

output "public_subnet_ids" {
  description = "Subnets with a route to the internet gateway."
  value       = local.public_subnet_ids
}

output "private_subnet_ids" {
  description = "Subnets behind NAT; empty when egress is \"public_ip\" and the VPC was made here."
  value       = local.private_subnet_ids
}

output "database_subnet_ids" {
  description = "Subnets without a way to the internet, in two zones or more."
  value       = local.database_subnet_ids
}

output "task_subnet_ids" {
  description = "Where tasks run: the public subnets when egress is \"public_ip\", else the private ones."
  value       = local.task_subnet_ids
}

output "assign_public_ip" {
  description = "Whether a task needs a public address of its own to reach the internet."
  value       = var.egress == "public_ip"
}

output "endpoint_security_group_id" {
  description = "Security group of the interface endpoints; null without them."
  value       = one(aws_security_group.endpoints[*].id)
}
