output "function_name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "alias_name" {
  description = "Name of the alias that is invoked; the function itself may be invoked by nobody."
  value       = aws_lambda_alias.live.name
}

output "alias_arn" {
  description = "ARN of the alias."
  value       = aws_lambda_alias.live.arn
}

output "alias_invoke_arn" {
  description = "Where API Gateway invokes the alias."
  value       = aws_lambda_alias.live.invoke_arn
}

output "version" {
  description = "The published version that the alias points at."
  value       = aws_lambda_function.this.version
}

output "role_name" {
  description = "Name of the function's role."
  value       = aws_iam_role.this.name
}

output "role_arn" {
  description = "ARN of the function's role."
  value       = aws_iam_role.this.arn
}

output "log_group_name" {
  description = "Log group of the function."
  value       = aws_cloudwatch_log_group.this.name
}

output "environment" {
  description = "What the function is told, as variables; no secret is among them."
  value       = local.environment
}

output "policy" {
  description = "What the function's role may do, as JSON."
  value       = aws_iam_role_policy.this.policy
}
