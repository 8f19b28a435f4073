mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  prefix = "orders-test"
  routes = [
    { method = "POST", path = "/orders", function = "orders", operation = "place", auth = "bearer" },
    { method = "POST", path = "/orders/{order_id}/cancel", function = "orders", operation = "cancel", auth = "bearer" },
    { method = "POST", path = "/reconciliations", function = "reconciliations", operation = "start", auth = "bearer", operator = true },
    { method = "POST", path = "/webhooks/{source}", function = "webhooks", operation = "receive", auth = "signature" },
    { method = "GET", path = "/health/live", function = "health", operation = "live", auth = "none" },
  ]
  functions = {
    api = {
      invoke_arn    = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:orders-test-api:live/invocations"
      function_name = "orders-test-api"
      alias_name    = "live"
      serves        = ["orders", "reconciliations", "health"]
    }
    webhooks = {
      invoke_arn    = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:orders-test-webhooks:live/invocations"
      function_name = "orders-test-webhooks"
      alias_name    = "live"
      serves        = ["webhooks"]
    }
  }
}

run "by_default" {
  command = plan

  assert {
    condition     = aws_apigatewayv2_api.this.name == "orders-test" && aws_apigatewayv2_api.this.protocol_type == "HTTP" && length(aws_apigatewayv2_api.this.cors_configuration) == 0
    error_message = "an HTTP API that no page of another origin may call"
  }

  assert {
    condition     = toset(keys(aws_apigatewayv2_route.this)) == toset(["POST /orders", "POST /orders/{order_id}/cancel", "POST /reconciliations", "POST /webhooks/{source}", "GET /health/live"])
    error_message = "the routes of the table and no other"
  }

  assert {
    condition     = alltrue([for key, route in aws_apigatewayv2_route.this : route.authorization_type == (key == "POST /reconciliations" ? "AWS_IAM" : "NONE")])
    error_message = "operators' routes, and only they, are opened by the gateway"
  }

  assert {
    condition     = output.operator_arns == ["arn:aws:execute-api:eu-west-1:123456789012:abc/$default/POST/reconciliations"]
    error_message = "what an operator must be allowed to invoke"
  }

  assert {
    condition     = local.serving == { orders = "api", reconciliations = "api", health = "api", webhooks = "webhooks" }
    error_message = "each route goes to the function that serves it"
  }

  assert {
    condition     = aws_apigatewayv2_integration.this["webhooks"].integration_uri == var.functions["webhooks"].invoke_arn && alltrue([for each in aws_apigatewayv2_integration.this : each.payload_format_version == "2.0" && each.timeout_milliseconds == 30000])
    error_message = "the alias is invoked, with 30 s of patience"
  }

  assert {
    condition     = alltrue([for name, each in aws_lambda_permission.this : each.qualifier == "live" && each.source_arn == "arn:aws:execute-api:eu-west-1:123456789012:abc/*/*" && each.principal == "apigateway.amazonaws.com" && each.function_name == "orders-test-${name}"]) && length(aws_lambda_permission.this) == 2
    error_message = "this API, and no other caller, invokes the aliases, and nothing but the aliases"
  }

  assert {
    condition     = { for each in aws_apigatewayv2_stage.this.route_settings : each.route_key => [each.throttling_rate_limit, each.throttling_burst_limit] } == { for key in keys(aws_apigatewayv2_route.this) : key => [50, 100] }
    error_message = "every route has its throttle written out"
  }

  assert {
    condition     = aws_apigatewayv2_stage.this.name == "$default" && aws_apigatewayv2_stage.this.auto_deploy
    error_message = "one stage"
  }

  assert {
    condition     = alltrue([for key in ["request_id", "route", "status", "source_ip", "error", "integration_error"] : contains(keys(jsondecode(aws_apigatewayv2_stage.this.access_log_settings[0].format)), key)]) && length(aws_apigatewayv2_stage.this.access_log_settings[0].format) < 3000
    error_message = "a line of JSON for every request, within API Gateway's 3 KB"
  }

  assert {
    condition     = !strcontains(aws_apigatewayv2_stage.this.access_log_settings[0].format, "queryString") && !strcontains(lower(aws_apigatewayv2_stage.this.access_log_settings[0].format), "authorization")
    error_message = "without what may be secret"
  }

  assert {
    condition     = aws_cloudwatch_log_group.access.name == "/aws/vendedlogs/apigateway/orders-test" && aws_cloudwatch_log_group.access.retention_in_days == 365
    error_message = "kept for a year"
  }

  assert {
    condition     = length(aws_apigatewayv2_authorizer.operator) == 0 && length(aws_apigatewayv2_domain_name.this) == 0 && !aws_apigatewayv2_api.this.disable_execute_api_endpoint
    error_message = "AWS's name, and no authorizer of tokens"
  }

  assert {
    condition     = output.url == "https://abc.execute-api.eu-west-1.amazonaws.com" && output.custom_domain_target == null
    error_message = "the address is AWS's"
  }
}

run "operators_with_tokens" {
  command = plan

  variables {
    operator_auth = { type = "jwt", issuer = "https://login.example.com/", audience = ["orders"], scopes = ["reconcile"] }
  }

  assert {
    condition     = aws_apigatewayv2_authorizer.operator["jwt"].jwt_configuration[0].issuer == "https://login.example.com/" && aws_apigatewayv2_authorizer.operator["jwt"].jwt_configuration[0].audience == toset(["orders"])
    error_message = "tokens of the issuer, for us"
  }

  assert {
    condition     = aws_apigatewayv2_route.this["POST /reconciliations"].authorization_type == "JWT" && aws_apigatewayv2_route.this["POST /reconciliations"].authorizer_id == aws_apigatewayv2_authorizer.operator["jwt"].id && aws_apigatewayv2_route.this["POST /reconciliations"].authorization_scopes == toset(["reconcile"])
    error_message = "open operators' routes"
  }

  assert {
    condition     = length([for route in aws_apigatewayv2_route.this : route if route.authorization_type != "NONE"]) == 1
    error_message = "and no other"
  }
}

run "throttles_of_single_routes" {
  command = plan

  variables {
    throttling = { rate_per_second = 20, burst = 40, routes = { "POST /webhooks/{source}" = { rate_per_second = 500, burst = 1000 } } }
  }

  assert {
    condition     = { for each in aws_apigatewayv2_stage.this.route_settings : each.route_key => each.throttling_rate_limit if each.throttling_rate_limit != 20 } == { "POST /webhooks/{source}" = 500 }
    error_message = "one route has its own, the others the API's"
  }

  assert {
    condition     = aws_apigatewayv2_stage.this.default_route_settings[0].throttling_burst_limit == 40
    error_message = "a route to come has the API's as well"
  }
}

run "a_name_in_a_zone" {
  command = plan

  variables {
    custom_domain = { name = "api.example.com", zone_id = "Z1" }
  }

  assert {
    condition     = aws_apigatewayv2_api.this.disable_execute_api_endpoint && output.url == "https://api.example.com"
    error_message = "one address, the own one"
  }

  assert {
    condition     = aws_route53_record.validation["api.example.com"].name == "_x.api.example.com." && aws_route53_record.this["api.example.com"].zone_id == "Z1" && aws_apigatewayv2_domain_name.this["api.example.com"].domain_name_configuration[0].security_policy == "TLS_1_2"
    error_message = "certificate, record and TLS are made"
  }
}

run "a_name_with_a_certificate" {
  command = plan

  variables {
    custom_domain = { name = "api.example.com", certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1" }
  }

  assert {
    condition     = length(aws_acm_certificate.this) == 0 && length(aws_route53_record.validation) == 0 && length(aws_route53_record.this) == 0
    error_message = "nothing is done in a zone that was not given"
  }

  assert {
    condition     = aws_apigatewayv2_domain_name.this["api.example.com"].domain_name_configuration[0].certificate_arn == "arn:aws:acm:eu-west-1:123456789012:certificate/1"
    error_message = "the certificate that was given"
  }
}

run "a_name_in_a_zone_with_a_certificate" {
  command = plan

  variables {
    custom_domain = { name = "api.example.com", zone_id = "Z1", certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1" }
  }

  assert {
    condition     = length(aws_acm_certificate.this) == 0 && length(aws_route53_record.this) == 1
    error_message = "no other certificate, but the record"
  }
}

run "the_real_route_table" {
  command = plan

  variables {
    routes = jsondecode(file("../../../../functions/routes.json"))
    functions = {
      api      = { invoke_arn = "arn:aws:apigateway:eu-west-1:lambda:path/a", function_name = "orders-test-api", alias_name = "live", serves = ["orders", "users", "reconciliations", "health", "description"] }
      webhooks = { invoke_arn = "arn:aws:apigateway:eu-west-1:lambda:path/b", function_name = "orders-test-webhooks", alias_name = "live", serves = ["webhooks"] }
    }
  }

  assert {
    condition     = length(aws_apigatewayv2_route.this) == length(var.routes)
    error_message = "every line is a route"
  }
}

run "with_a_key_and_figures_for_each_route" {
  command = plan

  variables {
    kms_key_arn              = "arn:aws:kms:eu-west-1:123456789012:key/1"
    detailed_metrics_enabled = true
  }

  assert {
    condition     = aws_cloudwatch_log_group.access.kms_key_id == var.kms_key_arn && alltrue([for each in aws_apigatewayv2_stage.this.route_settings : each.detailed_metrics_enabled])
    error_message = "what was asked for"
  }
}

run "refuses_a_route_that_nobody_serves" {
  command = plan
  variables {
    routes = [{ method = "POST", path = "/users", function = "users", auth = "bearer" }]
  }
  expect_failures = [var.functions]
}

run "refuses_a_route_that_two_serve" {
  command = plan
  variables {
    functions = {
      a = { invoke_arn = "arn:a", function_name = "a", alias_name = "live", serves = ["orders", "reconciliations", "webhooks", "health"] }
      b = { invoke_arn = "arn:b", function_name = "b", alias_name = "live", serves = ["webhooks"] }
    }
  }
  expect_failures = [var.functions]
}

run "refuses_an_empty_table" {
  command = plan
  variables {
    routes = []
  }
  expect_failures = [var.routes]
}

run "refuses_a_catch_all" {
  command = plan
  variables {
    routes = [{ method = "GET", path = "/{proxy+}", function = "health", auth = "none" }]
  }
  expect_failures = [var.routes]
}

run "refuses_any_method" {
  command = plan
  variables {
    routes = [{ method = "ANY", path = "/health", function = "health", auth = "none" }]
  }
  expect_failures = [var.routes]
}

run "refuses_a_route_twice" {
  command = plan
  variables {
    routes = [
      { method = "GET", path = "/health", function = "health", auth = "none" },
      { method = "GET", path = "/health", function = "orders", auth = "bearer" },
    ]
  }
  expect_failures = [var.routes]
}

run "refuses_an_unknown_kind_of_opening" {
  command = plan
  variables {
    routes = [{ method = "GET", path = "/health", function = "health", auth = "whatever" }]
  }
  expect_failures = [var.routes]
}

run "refuses_tokens_made_for_anybody" {
  command = plan
  variables {
    operator_auth = { type = "jwt", issuer = "https://login.example.com/" }
  }
  expect_failures = [var.operator_auth]
}

run "refuses_operators_whom_nobody_checks" {
  command = plan
  variables {
    operator_auth = { type = "none" }
  }
  expect_failures = [var.operator_auth]
}

run "refuses_a_throttle_of_a_route_that_is_not" {
  command = plan
  variables {
    throttling = { routes = { "POST /order" = { rate_per_second = 1, burst = 1 } } }
  }
  expect_failures = [var.throttling]
}

run "refuses_a_throttle_that_shuts_the_api" {
  command = plan
  variables {
    throttling = { rate_per_second = 0 }
  }
  expect_failures = [var.throttling]
}

run "refuses_a_name_without_zone_and_certificate" {
  command = plan
  variables {
    custom_domain = { name = "api.example.com" }
  }
  expect_failures = [var.custom_domain]
}

run "refuses_a_name_that_is_a_url" {
  command = plan
  variables {
    custom_domain = { name = "https://api.example.com", zone_id = "Z1" }
  }
  expect_failures = [var.custom_domain]
}

run "refuses_what_aws_does_not_have" {
  command = plan
  variables {
    prefix                      = "Orders"
    integration_timeout_seconds = 31
    log_retention_days          = 42
  }
  expect_failures = [var.prefix, var.integration_timeout_seconds, var.log_retention_days]
}
