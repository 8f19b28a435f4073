output "url" {
  description = "Where the API is reached, without a slash at the end."
  value       = module.gateway.url
}

output "webhook_url" {
  description = "Where senders deliver; put the source (shopify, stripe, warehouse) in place of {source}."
  value       = "${module.gateway.url}/webhooks/{source}"
}

output "api_id" {
  description = "Id of the HTTP API."
  value       = module.gateway.api_id
}

output "operator_resource_arn" {
  description = "What a principal that may start reconciliations is allowed to do execute-api:Invoke on."
  value       = "${module.gateway.execution_arn}/*/POST/reconciliations"
}

output "release" {
  description = "The release that runs."
  value       = var.release
}

output "function_names" {
  description = "The Lambda functions, by what they are called in the variable functions."
  value       = { for name, function in module.function : name => function.function_name }
}

output "cluster_name" {
  description = "The ECS cluster."
  value       = module.worker.cluster_name
}

output "service_names" {
  description = "The ECS service of each group of the variable worker_groups."
  value       = module.worker.service_names
}

output "waker_function_name" {
  description = "The function that wakes the services; null where they never sleep."
  value       = one(module.waker[*].function_name)
}

output "deploy_task_definition_arn" {
  description = "The deploy task, for `python -m infra.deploy run-task`."
  value       = module.worker.deploy_task_definition_arn
}

output "task_subnet_ids" {
  description = "Where tasks run."
  value       = module.network.task_subnet_ids
}

output "task_security_group_id" {
  description = "Security group of the tasks."
  value       = module.worker.security_group_id
}

output "assign_public_ip" {
  description = "Whether tasks get a public address."
  value       = module.network.assign_public_ip
}

output "vpc_id" {
  description = "The VPC, made or existing."
  value       = module.network.vpc_id
}

output "bucket_name" {
  description = "The bucket of statements and reports."
  value       = module.storage.bucket_name
}

output "database_host" {
  description = "Where the database answers, from within the VPC."
  value       = module.database.host
}

output "database_identifier" {
  description = "Identifier of the database at RDS, for restores."
  value       = module.database.identifier
}

output "database_master_secret_arn" {
  description = "The secret in which RDS keeps the master password: the ARN, not the value."
  value       = module.database.master_secret_arn
}

output "secret_names" {
  description = "The containers of secrets, for `orders secrets put`."
  value       = sort(local.in_parameters ? values(local.parameter_names) : [for secret in data.aws_secretsmanager_secret.these : secret.name])
}

output "log_group_names" {
  description = "Every log, by what writes it."
  value = merge(
    module.worker.log_group_names,
    { gateway = module.gateway.log_group_name },
    { for name, function in module.function : "function-${name}" => function.log_group_name },
    { for waker in module.waker : "waker" => waker.log_group_name },
  )
}

output "alarm_topic_arn" {
  description = "The topic of alarms: subscribe the pager to it. Null without alarms."
  value       = module.observability.topic_arn
}

output "dashboard_url" {
  description = "The dashboard in the console; null without one."
  value       = module.observability.dashboard_name == null ? null : "https://${data.aws_region.current.name}.console.aws.amazon.com/cloudwatch/home?region=${data.aws_region.current.name}#dashboards/dashboard/${module.observability.dashboard_name}"
}
