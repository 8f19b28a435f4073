output "function_name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "alias_name" {
  description = "The alias that the gateway calls."
  value       = aws_lambda_alias.live.name
}

output "alias_arn" {
  description = "ARN of the alias."
  value       = aws_lambda_alias.live.arn
}

output "alias_invoke_arn" {
  description = "What an integration of the gateway calls."
  value       = aws_lambda_alias.live.invoke_arn
}

output "version" {
  description = "The version that is live."
  value       = aws_lambda_function.this.version
}

output "role_name" {
  description = "The function's role."
  value       = aws_iam_role.this.name
}

output "log_group_name" {
  description = "The function's log."
  value       = aws_cloudwatch_log_group.this.name
}
