output "api_id" {
  description = "Id of the HTTP API, for metrics and alarms."
  value       = aws_apigatewayv2_api.this.id
}

output "url" {
  description = "Where the API answers, without a slash at the end."
  value       = var.custom_domain == null ? aws_apigatewayv2_api.this.api_endpoint : "https://${var.custom_domain.name}"

  # Whoever reads the address may call it.
  depends_on = [aws_apigatewayv2_stage.this, aws_apigatewayv2_api_mapping.this, aws_lambda_permission.this]
}

output "execution_arn" {
  description = "ARN under which the API's routes are invoked."
  value       = aws_apigatewayv2_api.this.execution_arn
}

output "operator_arns" {
  description = "What an operator's principal must be allowed to execute-api:Invoke when operator_auth is \"iam\"."
  value       = [for key, route in local.routes : "${aws_apigatewayv2_api.this.execution_arn}/${local.stage}/${route.method}${replace(route.path, "/\\{[^}]*\\}/", "*")}" if route.operator]
}

output "log_group_name" {
  description = "Log group of the access log."
  value       = aws_cloudwatch_log_group.access.name
}

output "custom_domain_target" {
  description = "What a CNAME of the custom domain points at, where its zone is not ours; null without a custom domain."
  value       = one([for domain in aws_apigatewayv2_domain_name.this : one(domain.domain_name_configuration).target_domain_name])
}
