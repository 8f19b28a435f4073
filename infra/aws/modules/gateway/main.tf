# The HTTP API: the routes of the route table and no other, each to the alias of the function that serves it. Operators'
# routes are opened by the gateway, throttles are its as well; every other check is the function's.

locals {
  stage  = "$default"
  routes = { for route in var.routes : "${route.method} ${route.path}" => route }
  # Which Lambda function answers a function of the route table.
  serving = merge([for name, function in var.functions : { for served in function.serves : served => name }]...)
  default_throttle = {
    rate_per_second = var.throttling.rate_per_second
    burst           = var.throttling.burst
  }
}

resource "aws_cloudwatch_log_group" "access" {
  # checkov:skip=CKV_AWS_338:how long logs are kept is a variable; an environment to try things in keeps them for days
  # Below /aws/vendedlogs/ one permission serves every group; elsewhere each needs a line in a policy that is soon full.
  name              = "/aws/vendedlogs/apigateway/${var.prefix}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_apigatewayv2_api" "this" {
  name          = var.prefix
  description   = "Orders: clients, webhooks, operators"
  protocol_type = "HTTP"
  # No cors_configuration: no browser of another origin has business here.
  # With a name of its own the API answers under that name only.
  disable_execute_api_endpoint = var.custom_domain != null
}

resource "aws_apigatewayv2_integration" "this" {
  for_each = var.functions

  api_id                 = aws_apigatewayv2_api.this.id
  description            = "The alias ${each.value.alias_name} of ${each.value.function_name}"
  integration_type       = "AWS_PROXY"
  integration_method     = "POST"
  integration_uri        = each.value.invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = var.integration_timeout_seconds * 1000
}

resource "aws_apigatewayv2_authorizer" "operator" {
  for_each = toset(var.operator_auth.type == "jwt" ? ["jwt"] : [])

  api_id           = aws_apigatewayv2_api.this.id
  name             = "${var.prefix}-operator"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = var.operator_auth.issuer
    audience = var.operator_auth.audience
  }
}

resource "aws_apigatewayv2_route" "this" {
  for_each = local.routes

  api_id    = aws_apigatewayv2_api.this.id
  route_key = each.key
  target    = "integrations/${aws_apigatewayv2_integration.this[local.serving[each.value.function]].id}"

  authorization_type   = !each.value.operator ? "NONE" : var.operator_auth.type == "jwt" ? "JWT" : "AWS_IAM"
  authorizer_id        = each.value.operator ? one([for authorizer in aws_apigatewayv2_authorizer.operator : authorizer.id]) : null
  authorization_scopes = each.value.operator && var.operator_auth.type == "jwt" && length(var.operator_auth.scopes) > 0 ? var.operator_auth.scopes : null
}

resource "aws_apigatewayv2_stage" "this" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = local.stage
  description = "What callers reach; a change is live at once"
  auto_deploy = true

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    # No header, no body, no query: nothing here is a secret or a customer's.
    format = jsonencode({
      time               = "$context.requestTime"
      request_id         = "$context.requestId"
      trace_id           = "$context.xrayTraceId"
      route              = "$context.routeKey"
      method             = "$context.httpMethod"
      path               = "$context.path"
      protocol           = "$context.protocol"
      status             = "$context.status"
      response_bytes     = "$context.responseLength"
      latency_ms         = "$context.responseLatency"
      source_ip          = "$context.identity.sourceIp"
      user_agent         = "$context.identity.userAgent"
      caller             = "$context.identity.caller"
      error              = "$context.error.message"
      authorizer_error   = "$context.authorizer.error"
      integration_status = "$context.integration.integrationStatus"
      integration_error  = "$context.integration.error"
      integration_ms     = "$context.integration.latency"
    })
  }

  default_route_settings {
    detailed_metrics_enabled = var.detailed_metrics_enabled
    throttling_rate_limit    = local.default_throttle.rate_per_second
    throttling_burst_limit   = local.default_throttle.burst
  }

  # Every route has its settings written out. The stage's default is one bucket for each route too, but a route that once
  # had settings of its own keeps the last ones when they are taken away here.
  dynamic "route_settings" {
    for_each = { for key in keys(local.routes) : key => lookup(var.throttling.routes, key, local.default_throttle) }

    content {
      route_key                = route_settings.key
      detailed_metrics_enabled = var.detailed_metrics_enabled
      throttling_rate_limit    = route_settings.value.rate_per_second
      throttling_burst_limit   = route_settings.value.burst
    }
  }

  # Settings of a route that does not exist are refused; and on the way out the settings must go before the route.
  depends_on = [aws_apigatewayv2_route.this]
}

resource "aws_lambda_permission" "this" {
  for_each = var.functions

  statement_id  = "${var.prefix}-gateway"
  action        = "lambda:InvokeFunction"
  function_name = each.value.function_name
  qualifier     = each.value.alias_name
  principal     = "apigateway.amazonaws.com"
  # This API, whatever stage and route: its routes are the route table's.
  source_arn = "${aws_apigatewayv2_api.this.execution_arn}/*/*"
}
