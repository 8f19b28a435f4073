output "host" {
  description = "Where the database answers, once it does."
  value       = local.is_aurora ? one(aws_rds_cluster.this[*].endpoint) : one(aws_db_instance.this[*].address)

  # A cluster answers when an instance of it is there.
  depends_on = [aws_rds_cluster_instance.this, aws_vpc_security_group_ingress_rule.clients]
}

output "port" {
  description = "TCP port of the database."
  value       = local.port
}

output "database_name" {
  description = "Name of the database on the server."
  value       = var.database_name
}

output "identifier" {
  description = "Identifier of the cluster or the instance at RDS, for alarms and restores."
  value       = local.identifier
}

output "master_secret_arn" {
  description = "The secret that RDS keeps the master user and its password in (keys username, password)."
  value       = local.is_aurora ? one(aws_rds_cluster.this[*].master_user_secret[0].secret_arn) : one(aws_db_instance.this[*].master_user_secret[0].secret_arn)
}

output "security_group_id" {
  description = "Security group of the database: one rule in, none out."
  value       = aws_security_group.this.id
}
