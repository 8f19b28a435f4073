output "cluster_name" {
  description = "The ECS cluster."
  value       = aws_ecs_cluster.this.name
}

output "cluster_arn" {
  description = "ARN of the ECS cluster."
  value       = aws_ecs_cluster.this.arn
}

output "service_names" {
  description = "Name of the service of each group."
  value       = { for name, service in aws_ecs_service.this : name => service.name }
}

output "service_arns" {
  description = "ARN of the service of each group."
  value       = { for name, service in aws_ecs_service.this : name => service.id }
}

output "security_group_id" {
  description = "Security group of the tasks, the worker's and the deploy's: nothing comes in."
  value       = aws_security_group.this.id
}

output "task_definition_arns" {
  description = "The task definition of each group."
  value       = { for name, definition in aws_ecs_task_definition.worker : name => definition.arn }
}

output "deploy_task_definition_arn" {
  description = "The deploy task, for `python -m infra.deploy run-task`."
  value       = aws_ecs_task_definition.deploy.arn
}

output "log_group_names" {
  description = "Logs of the worker and of the deploy task."
  value       = { worker = aws_cloudwatch_log_group.worker.name, deploy = aws_cloudwatch_log_group.deploy.name }
}

output "role_names" {
  description = "The four roles."
  value = {
    worker_execution = aws_iam_role.execution["worker"].name
    worker_task      = aws_iam_role.worker.name
    deploy_execution = aws_iam_role.execution["deploy"].name
    deploy_task      = aws_iam_role.deploy.name
  }
}
