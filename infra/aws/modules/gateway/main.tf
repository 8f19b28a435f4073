# The door: an HTTP API with the routes of the table and no other. Senders of webhooks are believed by their signature and
# clients by their key, both checked in the function, where the bytes are; operators are checked here.

locals {
  routes = { for route in var.routes : "${route.method} ${route.path}" => merge(route, {
    lambda = one([for name, each in var.functions : name if contains(each.serves, route.function)])
  }) }

  operator_type = { iam = "AWS_IAM", jwt = "JWT" }[var.operator_auth.type]
  has_operators = anytrue([for route in var.routes : route.operator])
  uses_jwt      = var.operator_auth.type == "jwt" && local.has_operators
  account       = data.aws_caller_identity.current.account_id
  region        = data.aws_region.current.name
}

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

resource "aws_apigatewayv2_api" "this" {
  name          = var.prefix
  description   = "Orders: clients, webhooks, operators"
  protocol_type = "HTTP"
  # Servers call, not browsers: no CORS. With a name of one's own there is no second door.
  disable_execute_api_endpoint = var.custom_domain != null
}

resource "aws_apigatewayv2_integration" "this" {
  for_each = var.functions

  api_id                 = aws_apigatewayv2_api.this.id
  description            = each.value.function_name
  integration_type       = "AWS_PROXY"
  integration_method     = "POST"
  integration_uri        = each.value.invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = var.timeout_ms
}

resource "aws_apigatewayv2_authorizer" "operator" {
  count = local.uses_jwt ? 1 : 0

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
  # checkov:skip=CKV_AWS_309:signatures and keys are checked in the function, over the bytes that were sent; operators' routes are not open
  for_each = local.routes

  api_id               = aws_apigatewayv2_api.this.id
  route_key            = each.key
  target               = "integrations/${aws_apigatewayv2_integration.this[each.value.lambda].id}"
  authorization_type   = each.value.operator ? local.operator_type : "NONE"
  authorizer_id        = each.value.operator && local.uses_jwt ? aws_apigatewayv2_authorizer.operator[0].id : null
  authorization_scopes = each.value.operator && local.uses_jwt ? var.operator_auth.scopes : null
}

resource "aws_lambda_permission" "this" {
  for_each = var.functions

  statement_id   = "gateway"
  action         = "lambda:InvokeFunction"
  principal      = "apigateway.amazonaws.com"
  function_name  = each.value.function_name
  qualifier      = each.value.alias_name
  source_account = local.account
  # Any route of any stage, of this API alone.
  source_arn = "${aws_apigatewayv2_api.this.execution_arn}/*/*"
}

resource "aws_cloudwatch_log_group" "access" {
  # checkov:skip=CKV_AWS_338:how long logs are kept is the environment's decision, with a year as the default
  # checkov:skip=CKV_AWS_158:the key is a variable; without one CloudWatch Logs encrypts with its own
  name              = "/aws/apigateway/${var.prefix}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_apigatewayv2_stage" "this" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    # No query string and no path: identifiers of people may be in both. The route and the request id lead to the
    # function's own line, which says whose event it was.
    format = jsonencode({
      requestId        = "$context.requestId"
      requestTime      = "$context.requestTime"
      routeKey         = "$context.routeKey"
      status           = "$context.status"
      sourceIp         = "$context.identity.sourceIp"
      userAgent        = "$context.identity.userAgent"
      responseLength   = "$context.responseLength"
      responseLatency  = "$context.responseLatency"
      integration      = { status = "$context.integration.status", latency = "$context.integration.latency", error = "$context.integration.error", requestId = "$context.integration.requestId" }
      authorizerError  = "$context.authorizer.error"
      operator         = "$context.identity.userArn"
      gatewayError     = "$context.error.message"
      gatewayErrorType = "$context.error.responseType"
    })
  }

  default_route_settings {
    detailed_metrics_enabled = true
    throttling_rate_limit    = var.throttling.rate_per_second
    throttling_burst_limit   = var.throttling.burst
  }

  dynamic "route_settings" {
    for_each = var.throttling.routes

    content {
      route_key                = route_settings.key
      detailed_metrics_enabled = true
      throttling_rate_limit    = route_settings.value.rate_per_second
      throttling_burst_limit   = route_settings.value.burst
    }
  }

  # Settings of a route want the route to be there.
  depends_on = [aws_apigatewayv2_route.this]
}
