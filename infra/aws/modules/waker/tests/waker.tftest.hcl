mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  prefix        = "orders-test"
  cluster_name  = "orders-test"
  after_minutes = 15
  services = {
    all = { name = "orders-test-all", arn = "arn:aws:ecs:eu-west-1:123456789012:service/orders-test/orders-test-all", queues = ["orders", "events"], tasks = 2 }
  }
  function = {
    artifact_bucket        = "orders-artifacts-123456789012"
    artifact_key           = "functions/2026.7.1/functions.zip"
    artifact_sha256_base64 = "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="
    environment            = { ORDERS_TEMPORAL__ADDRESS = "orders.a1b2c.tmprl.cloud:7233" }
    secret_arns            = ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/test/temporal-abc123"]
  }
}

run "once_a_minute_and_no_more" {
  command = plan

  assert {
    condition     = aws_cloudwatch_event_rule.every_minute.schedule_expression == "rate(1 minute)" && local.timeout_seconds < 60
    error_message = "a look ends before the next begins"
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.this.maximum_retry_attempts == 0 && aws_lambda_function_event_invoke_config.this.qualifier == "live"
    error_message = "the next look is the retry"
  }

  assert {
    condition     = aws_cloudwatch_event_target.every_minute.arn == module.function.alias_arn && aws_lambda_permission.every_minute.principal == "events.amazonaws.com" && aws_lambda_permission.every_minute.source_arn == aws_cloudwatch_event_rule.every_minute.arn
    error_message = "the clock invokes the published version, and nobody else does"
  }

  assert {
    condition     = aws_lambda_permission.every_minute.qualifier == "live" && aws_lambda_permission.every_minute.function_name == "orders-test-waker" && aws_lambda_function_event_invoke_config.this.function_name == "orders-test-waker"
    error_message = "of this function"
  }
}

run "it_is_told_what_it_needs" {
  command = plan

  assert {
    condition     = output.function_name == "orders-test-waker" && output.role_name == "orders-test-waker-function" && output.log_group_name == "/aws/lambda/orders-test-waker"
    error_message = "named as the functions are"
  }

  assert {
    condition = jsondecode(module.function.environment["WAKER"]) == {
      cluster       = "orders-test"
      after_minutes = 15
      services      = { orders-test-all = { queues = ["orders", "events"], tasks = 2 } }
    }
    error_message = "services by their ECS names"
  }

  assert {
    condition = { for name, value in module.function.environment : name => value if name != "WAKER" } == {
      ORDERS_ENV               = "production"
      ORDERS_TEMPORAL__ADDRESS = "orders.a1b2c.tmprl.cloud:7233"
      SECRETS_MANAGER_ARNS     = var.function.secret_arns[0]
    }
    error_message = "where Temporal and its key are, and nothing of the API"
  }
}

run "it_may_size_services_and_nothing_else" {
  command = plan

  assert {
    condition = [for statement in jsondecode(module.function.policy).Statement : statement.Resource if statement.Sid == "SizeServices"] == [
      ["arn:aws:ecs:eu-west-1:123456789012:service/orders-test/orders-test-all"]
    ]
    error_message = "the services that it was given"
  }

  assert {
    condition     = toset(flatten([for statement in jsondecode(module.function.policy).Statement : statement.Action])) == toset(["logs:CreateLogStream", "logs:PutLogEvents", "ecs:DescribeServices", "ecs:UpdateService", "secretsmanager:GetSecretValue"])
    error_message = "no role to hand over, no task to run, nothing to trace"
  }
}

run "a_dev_server_wants_no_key" {
  command = plan

  variables {
    function = {
      artifact_bucket        = "orders-artifacts-123456789012"
      artifact_key           = "functions/2026.7.1/functions.zip"
      artifact_sha256_base64 = "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="
    }
  }

  assert {
    condition     = toset(keys(module.function.environment)) == toset(["ORDERS_ENV", "WAKER"]) && !strcontains(module.function.policy, "secretsmanager")
    error_message = "no secret, no right to one"
  }
}

run "what_every_function_is_given_reaches_it" {
  command = plan

  variables {
    function = {
      artifact_bucket          = "orders-artifacts-123456789012"
      artifact_key             = "functions/2026.7.1/functions.zip"
      artifact_sha256_base64   = "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="
      runtime                  = "python3.12"
      architecture             = "x86_64"
      environment              = { ORDERS_TEMPORAL__ADDRESS = "temporal.internal:7233" }
      secret_arns              = ["arn:aws:ssm:eu-west-1:123456789012:parameter/orders/test/temporal"]
      secret_kms_key_arns      = ["arn:aws:kms:eu-west-1:123456789012:key/secrets"]
      kms_key_arn              = "arn:aws:kms:eu-west-1:123456789012:key/own"
      vpc                      = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
      permissions_boundary_arn = "arn:aws:iam::123456789012:policy/orders-test-boundary"
      log_retention_days       = 7
    }
  }

  assert {
    condition = [for statement in jsondecode(module.function.policy).Statement : statement.Sid if !startswith(statement.Sid, "DecryptParameters")] == [
      "WriteLogs", "ReadParameters", "DecryptOwnVariables", "SizeServices", "AttachToTheVpc"
    ]
    error_message = "the parameter of Temporal's key, the key of its own variables, the VPC"
  }

  assert {
    condition     = strcontains(module.function.policy, "key/secrets") && strcontains(module.function.policy, "key/own") && module.function.environment["PARAMETER_STORE_ARNS"] == var.function.secret_arns[0]
    error_message = "each key for its own purpose"
  }
}

run "refuses_no_service" {
  command = plan

  variables {
    services = {}
  }

  expect_failures = [var.services]
}

run "refuses_minutes_that_are_too_few" {
  command = plan

  variables {
    after_minutes = 4
  }

  expect_failures = [var.after_minutes]
}
