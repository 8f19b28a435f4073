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
  artifact_bucket        = "orders-artifacts-123456789012"
  artifact_key           = "functions/2026.7.1/functions.zip"
  artifact_sha256_base64 = "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="
  environment            = { ORDERS_TEMPORAL__ADDRESS = "orders.a1b2c.tmprl.cloud:7233" }
  secret_arns            = ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/test/temporal-abc123"]
}

run "once_a_minute_and_no_more" {
  command = plan

  assert {
    condition     = aws_cloudwatch_event_rule.every_minute.schedule_expression == "rate(1 minute)" && aws_lambda_function.this.timeout < 60
    error_message = "a look ends before the next begins"
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.this.maximum_retry_attempts == 0 && aws_lambda_function_event_invoke_config.this.qualifier == "live"
    error_message = "the next look is the retry"
  }

  assert {
    condition     = aws_cloudwatch_event_target.every_minute.arn == aws_lambda_alias.live.arn && aws_lambda_permission.every_minute.principal == "events.amazonaws.com" && aws_lambda_permission.every_minute.source_arn == aws_cloudwatch_event_rule.every_minute.arn
    error_message = "the clock invokes the published version, and nobody else does"
  }
}

run "it_is_told_what_it_needs" {
  command = plan

  assert {
    condition     = aws_lambda_function.this.function_name == "orders-test-waker" && aws_lambda_function.this.handler == "infra.waker.lambda_handler.handler" && aws_lambda_function.this.source_code_hash == var.artifact_sha256_base64
    error_message = "the release's zip, the waker's handler"
  }

  assert {
    condition = jsondecode(aws_lambda_function.this.environment[0].variables["WAKER"]) == {
      cluster       = "orders-test"
      after_minutes = 15
      services      = { orders-test-all = { queues = ["orders", "events"], tasks = 2 } }
    }
    error_message = "services by their ECS names"
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables["SECRETS_MANAGER_ARNS"] == var.secret_arns[0] && aws_lambda_function.this.environment[0].variables["ORDERS_ENV"] == "production"
    error_message = "where the key of Temporal is"
  }
}

run "it_may_size_services_and_nothing_else" {
  command = plan

  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Resource if statement.Sid == "SizeServices"] == [
      ["arn:aws:ecs:eu-west-1:123456789012:service/orders-test/orders-test-all"]
    ]
    error_message = "the services that it was given"
  }

  assert {
    condition     = toset(flatten([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Action])) == toset(["logs:CreateLogStream", "logs:PutLogEvents", "ecs:DescribeServices", "ecs:UpdateService", "secretsmanager:GetSecretValue"])
    error_message = "no role to hand over, no task to run"
  }
}

run "a_dev_server_wants_no_key" {
  command = plan

  variables {
    secret_arns = []
  }

  assert {
    condition     = !contains(keys(aws_lambda_function.this.environment[0].variables), "SECRETS_MANAGER_ARNS") && !strcontains(aws_iam_role_policy.this.policy, "secretsmanager")
    error_message = "no secret, no right to one"
  }
}

run "within_a_vpc_with_a_key_and_a_boundary" {
  command = plan

  variables {
    vpc                      = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
    kms_key_arn              = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
    secret_kms_key_arns      = ["arn:aws:kms:eu-west-1:123456789012:key/11111111-1111-1111-1111-111111111111"]
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/orders-test-boundary"
  }

  assert {
    condition     = length(aws_lambda_function.this.vpc_config) == 1 && aws_iam_role.this.permissions_boundary == var.permissions_boundary_arn && aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn
    error_message = "where Temporal is private, and where a pipeline applies"
  }

  assert {
    condition     = length([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement if contains(statement.Action, "kms:Decrypt") && can(statement.Condition)]) == 2
    error_message = "keys through Secrets Manager, and for its own variables"
  }
}

run "refuses_a_prefix_with_capitals" {
  command = plan

  variables {
    prefix = "Orders"
  }

  expect_failures = [var.prefix]
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

run "refuses_a_key_that_is_no_zip" {
  command = plan

  variables {
    artifact_key = "functions/1/functions.tar"
  }

  expect_failures = [var.artifact_key]
}

run "refuses_what_is_no_checksum" {
  command = plan

  variables {
    artifact_sha256_base64 = "abc"
  }

  expect_failures = [var.artifact_sha256_base64]
}

run "refuses_a_runtime_that_is_not_built_for" {
  command = plan

  variables {
    runtime = "python3.9"
  }

  expect_failures = [var.runtime]
}

run "refuses_a_processor_that_there_is_not" {
  command = plan

  variables {
    architecture = "ARM64"
  }

  expect_failures = [var.architecture]
}

run "refuses_a_variable_of_somebody_else" {
  command = plan

  variables {
    environment = { AWS_REGION = "eu-west-1" }
  }

  expect_failures = [var.environment]
}

run "refuses_a_secret_as_a_variable" {
  command = plan

  variables {
    environment = { ORDERS_TEMPORAL__API_KEY = "x" }
  }

  expect_failures = [var.environment]
}

run "refuses_a_vpc_without_subnets" {
  command = plan

  variables {
    vpc = { subnet_ids = [], security_group_ids = ["sg-1"] }
  }

  expect_failures = [var.vpc]
}

run "refuses_a_retention_that_there_is_not" {
  command = plan

  variables {
    log_retention_days = 2
  }

  expect_failures = [var.log_retention_days]
}

run "secrets_may_be_parameters" {
  command = plan

  variables {
    secret_arns         = ["arn:aws:ssm:eu-west-1:123456789012:parameter/orders/test/temporal"]
    secret_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/secrets"]
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables["PARAMETER_STORE_ARNS"] == var.secret_arns[0] && !contains(keys(aws_lambda_function.this.environment[0].variables), "SECRETS_MANAGER_ARNS")
    error_message = "it is told which"
  }

  assert {
    condition     = jsonencode([for each in jsondecode(aws_iam_role_policy.this.policy).Statement : each.Resource if each.Sid == "ReadParameters"]) == jsonencode([var.secret_arns]) && !strcontains(aws_iam_role_policy.this.policy, "secretsmanager")
    error_message = "it may read Temporal's parameter"
  }

  assert {
    condition     = jsonencode([for each in jsondecode(aws_iam_role_policy.this.policy).Statement : each.Condition if startswith(each.Sid, "DecryptParameters")]) == jsonencode([{ StringEquals = { "kms:EncryptionContext:PARAMETER_ARN" = var.secret_arns, "kms:ViaService" = "ssm.eu-west-1.amazonaws.com" } }])
    error_message = "and use their key for nothing else"
  }
}
