output "api_id" {
  description = "Id of the HTTP API."
  value       = aws_apigatewayv2_api.this.id
}

output "url" {
  description = "Where the API is reached, without a slash at the end."
  value       = var.custom_domain == null ? aws_apigatewayv2_api.this.api_endpoint : "https://${var.custom_domain.name}"

  # Who reads the address may call it: everything behind it is there by then.
  depends_on = [aws_apigatewayv2_stage.this, aws_lambda_permission.this, aws_route53_record.this]
}

output "execution_arn" {
  description = "For policies that let operators call: append \"/*/POST/reconciliations\"."
  value       = aws_apigatewayv2_api.this.execution_arn
}

output "log_group_name" {
  description = "The access log."
  value       = aws_cloudwatch_log_group.access.name
}
