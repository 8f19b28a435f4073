output "url" {
  description = "Where the API is reached, without a slash at the end."
  value       = module.orders.url
}

output "webhook_url" {
  description = "Where senders deliver; put the source (shopify, stripe, warehouse) in place of {source}."
  value       = module.orders.webhook_url
}

output "operator_resource_arn" {
  description = "What a principal that may start reconciliations is allowed to do execute-api:Invoke on."
  value       = module.orders.operator_resource_arn
}

output "release" {
  description = "The release that runs."
  value       = module.orders.release
}

output "cluster_name" {
  description = "The ECS cluster."
  value       = module.orders.cluster_name
}

output "service_names" {
  description = "The ECS services."
  value       = module.orders.service_names
}

output "deploy_task_definition_arn" {
  description = "The deploy task, for `python -m infra.deploy run-task`."
  value       = module.orders.deploy_task_definition_arn
}

output "task_subnet_ids" {
  description = "Where tasks run."
  value       = module.orders.task_subnet_ids
}

output "task_security_group_id" {
  description = "Security group of the tasks."
  value       = module.orders.task_security_group_id
}

output "bucket_name" {
  description = "The bucket of statements and reports."
  value       = module.orders.bucket_name
}

output "database_identifier" {
  description = "Identifier of the database at RDS, for restores."
  value       = module.orders.database_identifier
}

output "log_group_names" {
  description = "Every log, by what writes it."
  value       = module.orders.log_group_names
}

output "alarm_topic_arn" {
  description = "The topic of alarms; null without alarm_email."
  value       = module.orders.alarm_topic_arn
}

output "waker_function_name" {
  description = "The function that wakes the services."
  value       = module.orders.waker_function_name
}
