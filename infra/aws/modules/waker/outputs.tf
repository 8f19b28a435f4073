output "function_name" {
  description = "Name of the function, for its alarm."
  value       = aws_lambda_function.this.function_name
}

output "role_name" {
  description = "Name of the function's role."
  value       = aws_iam_role.this.name
}

output "log_group_name" {
  description = "Log group of the function: a line for each time that a service was woken or put to sleep."
  value       = aws_cloudwatch_log_group.this.name
}
