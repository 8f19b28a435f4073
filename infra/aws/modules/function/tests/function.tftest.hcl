mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  prefix                 = "orders-test"
  name                   = "webhooks"
  serves                 = ["webhooks"]
  artifact_bucket        = "orders-artifacts-123456789012"
  artifact_key           = "functions/2026.7.1/functions.zip"
  artifact_sha256_base64 = "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="
  environment            = { ORDERS_TEMPORAL__ADDRESS = "orders.a1b2c.tmprl.cloud:7233" }
  secret_arns            = ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/test/webhooks-abc123"]
}

run "by_default" {
  command = plan

  assert {
    condition     = aws_lambda_function.this.function_name == "orders-test-webhooks" && aws_iam_role.this.name == "orders-test-webhooks-function" && aws_cloudwatch_log_group.this.name == "/aws/lambda/orders-test-webhooks"
    error_message = "function, role and log are named after the environment"
  }

  assert {
    condition     = aws_lambda_function.this.handler == "functions.lambda_handler.handler" && aws_lambda_function.this.runtime == "python3.13" && aws_lambda_function.this.architectures == tolist(["arm64"])
    error_message = "it runs what infra/bundle builds"
  }

  assert {
    condition     = aws_lambda_function.this.s3_bucket == var.artifact_bucket && aws_lambda_function.this.s3_key == var.artifact_key && aws_lambda_function.this.source_code_hash == var.artifact_sha256_base64
    error_message = "the code is the release's"
  }

  assert {
    condition     = aws_lambda_function.this.publish && aws_lambda_alias.live.name == "live" && aws_lambda_alias.live.function_version == aws_lambda_function.this.version
    error_message = "the alias points at a published version"
  }

  assert {
    condition = aws_lambda_function.this.environment[0].variables == tomap({
      ORDERS_ENV               = "production"
      ORDERS_API__FUNCTIONS    = "[\"webhooks\"]"
      ORDERS_TEMPORAL__ADDRESS = "orders.a1b2c.tmprl.cloud:7233"
      SECRETS_MANAGER_ARNS     = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/test/webhooks-abc123"
    })
    error_message = "it is told what it serves, where Temporal is, and where its secrets are"
  }

  assert {
    condition     = aws_lambda_function.this.timeout == 20 && aws_lambda_function.this.reserved_concurrent_executions == -1 && length(aws_lambda_function.this.snap_start) == 0 && length(aws_lambda_provisioned_concurrency_config.live) == 0 && length(aws_lambda_function.this.vpc_config) == 0
    error_message = "it ends before the gateway's patience, and nothing is reserved, kept warm or put into a VPC unasked"
  }

  assert {
    condition     = aws_lambda_function.this.tracing_config[0].mode == "Active" && aws_lambda_function.this.logging_config[0].log_format == "JSON" && aws_lambda_function.this.logging_config[0].log_group == aws_cloudwatch_log_group.this.name
    error_message = "traced, and logged as JSON into its own group"
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.retention_in_days == 365
    error_message = "a log is kept for a year, not for ever"
  }

  assert {
    condition = { for each in jsondecode(aws_iam_role_policy.this.policy).Statement : each.Sid => each.Action } == {
      WriteLogs    = ["logs:CreateLogStream", "logs:PutLogEvents"]
      ReadSecrets  = ["secretsmanager:GetSecretValue"]
      ReportTraces = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    }
    error_message = "its role may do these and nothing else"
  }

  assert {
    condition     = [for each in jsondecode(aws_iam_role_policy.this.policy).Statement : each.Resource if each.Sid == "ReadSecrets"][0] == ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/test/webhooks-abc123"]
    error_message = "of its own secrets"
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Principal == { Service = "lambda.amazonaws.com" } && aws_iam_role.this.permissions_boundary == null
    error_message = "Lambda alone takes the role"
  }
}

run "another_program_of_the_zip" {
  command = plan

  variables {
    serves          = []
    memory_mb       = 256
    timeout_seconds = 50
    tracing_enabled = false
    program = {
      handler     = "infra.waker.lambda_handler.handler"
      description = "Wakes the services"
      variables   = { WAKER = "{}" }
      statements  = [{ Sid = "SizeServices", Action = ["ecs:UpdateService"], Resource = ["arn:aws:ecs:eu-west-1:123456789012:service/orders-test/orders-test-all"] }]
    }
  }

  assert {
    condition     = aws_lambda_function.this.handler == "infra.waker.lambda_handler.handler" && aws_lambda_function.this.description == "Wakes the services" && aws_lambda_function.this.timeout == 50 && aws_lambda_function.this.memory_size == 256
    error_message = "its handler, and its time, which no gateway bounds"
  }

  assert {
    condition     = toset(keys(output.environment)) == toset(["ORDERS_ENV", "ORDERS_TEMPORAL__ADDRESS", "SECRETS_MANAGER_ARNS", "WAKER"])
    error_message = "it is told its own, and not what the API serves"
  }

  assert {
    condition     = [for each in jsondecode(output.policy).Statement : each.Sid] == ["WriteLogs", "ReadSecrets", "SizeServices"] && [for each in jsondecode(output.policy).Statement : each.Effect] == ["Allow", "Allow", "Allow"]
    error_message = "what its statements name, and no traces, for it is not traced"
  }

  assert {
    condition     = aws_lambda_function.this.tracing_config[0].mode == "PassThrough" && aws_lambda_function.this.logging_config[0].log_format == "JSON" && aws_lambda_function.this.publish
    error_message = "all else is as with every function"
  }
}

run "refuses_a_program_that_serves" {
  command = plan
  variables {
    program = { handler = "infra.waker.lambda_handler.handler", description = "Wakes the services" }
  }
  expect_failures = [var.serves]
}

run "refuses_a_program_that_is_told_settings_or_secrets_in_its_own_way" {
  command = plan
  variables {
    serves  = []
    program = { handler = "infra.waker.lambda_handler.handler", description = "Wakes the services", variables = { WAKER_KEY = "never" } }
  }
  expect_failures = [var.program]
}

run "refuses_a_program_that_may_do_anything" {
  command = plan
  variables {
    serves = []
    program = {
      handler     = "infra.waker.lambda_handler.handler"
      description = "Wakes the services"
      statements  = [{ Sid = "SizeServices", Action = ["ecs:*"], Resource = ["arn:aws:ecs:eu-west-1:123456789012:service/orders-test/orders-test-all"] }]
    }
  }
  expect_failures = [var.program]
}

run "refuses_a_program_that_never_ends" {
  command = plan
  variables {
    serves          = []
    program         = { handler = "infra.waker.lambda_handler.handler", description = "Wakes the services" }
    timeout_seconds = 901
  }
  expect_failures = [var.timeout_seconds]
}

run "without_secrets_it_is_told_of_none_and_may_read_none" {
  command = plan

  variables {
    secret_arns         = []
    secret_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/secrets"]
  }

  assert {
    condition     = !contains(keys(aws_lambda_function.this.environment[0].variables), "SECRETS_MANAGER_ARNS")
    error_message = "no variable"
  }

  assert {
    condition     = [for each in jsondecode(aws_iam_role_policy.this.policy).Statement : each.Sid] == ["WriteLogs", "ReportTraces"]
    error_message = "no right, to a key neither"
  }
}

run "with_keys_of_its_own" {
  command = plan

  variables {
    kms_key_arn         = "arn:aws:kms:eu-west-1:123456789012:key/own"
    secret_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/secrets"]
  }

  assert {
    condition     = aws_lambda_function.this.kms_key_arn == var.kms_key_arn && aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn
    error_message = "variables and log are under the key"
  }

  assert {
    condition = [for each in jsondecode(aws_iam_role_policy.this.policy).Statement : each.Condition.StringEquals if each.Action == ["kms:Decrypt"]] == [
      { "kms:ViaService" = "secretsmanager.eu-west-1.amazonaws.com" },
      { "kms:EncryptionContext:aws:lambda:FunctionArn" = "arn:aws:lambda:eu-west-1:123456789012:function:orders-test-webhooks" },
    ]
    error_message = "a key is used through Secrets Manager, or for the function's own variables"
  }
}

run "with_provisioned_concurrency" {
  command = plan

  variables {
    reserved_concurrency    = 20
    provisioned_concurrency = 2
  }

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == 20 && aws_lambda_provisioned_concurrency_config.live[0].provisioned_concurrent_executions == 2 && aws_lambda_provisioned_concurrency_config.live[0].qualifier == "live"
    error_message = "two of the twenty are kept started, of the alias"
  }
}

run "switched_off" {
  command = plan

  variables {
    reserved_concurrency = 0
  }

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == 0
    error_message = "0 is none, not any"
  }
}

run "with_snapshots" {
  command = plan

  variables {
    snap_start_enabled = true
  }

  assert {
    condition     = aws_lambda_function.this.snap_start[0].apply_on == "PublishedVersions"
    error_message = "versions start from a snapshot"
  }
}

run "in_a_vpc_and_below_a_boundary" {
  command = plan

  variables {
    vpc                      = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/orders-test-boundary"
    architecture             = "x86_64"
    runtime                  = "python3.12"
  }

  assert {
    condition     = aws_lambda_function.this.vpc_config[0].subnet_ids == toset(["subnet-1"]) && aws_lambda_function.this.vpc_config[0].security_group_ids == toset(["sg-1"])
    error_message = "it joins the subnets"
  }

  assert {
    condition     = contains([for each in jsondecode(aws_iam_role_policy.this.policy).Statement : each.Sid], "AttachToTheVpc")
    error_message = "and may"
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == var.permissions_boundary_arn && aws_lambda_function.this.runtime == "python3.12" && aws_lambda_function.this.architectures == tolist(["x86_64"])
    error_message = "what was given"
  }
}

run "refuses_snapshots_of_what_is_kept_started" {
  command = plan
  variables {
    provisioned_concurrency = 1
    snap_start_enabled      = true
  }
  expect_failures = [var.snap_start_enabled]
}

run "refuses_snapshots_of_an_older_python" {
  command = plan
  variables {
    runtime            = "python3.11"
    snap_start_enabled = true
  }
  expect_failures = [var.snap_start_enabled]
}

run "refuses_more_kept_started_than_may_run" {
  command = plan
  variables {
    reserved_concurrency    = 1
    provisioned_concurrency = 2
  }
  expect_failures = [var.provisioned_concurrency]
}

run "refuses_fewer_than_none_kept_started" {
  command = plan
  variables {
    provisioned_concurrency = -1
  }
  expect_failures = [var.provisioned_concurrency]
}

run "refuses_a_timeout_beyond_the_gateways_patience" {
  command = plan
  variables {
    timeout_seconds = 30
  }
  expect_failures = [var.timeout_seconds]
}

run "refuses_a_zip_without_a_checksum" {
  command = plan
  variables {
    artifact_sha256_base64 = ""
  }
  expect_failures = [var.artifact_sha256_base64]
}

run "refuses_what_is_no_zip" {
  command = plan
  variables {
    artifact_key = "functions/2026.7.1"
  }
  expect_failures = [var.artifact_key]
}

run "refuses_a_secret_among_the_variables" {
  command = plan
  variables {
    environment = { ORDERS_TEMPORAL__API_KEY = "never" }
  }
  expect_failures = [var.environment]
}

run "refuses_a_variable_that_is_not_ours" {
  command = plan
  variables {
    environment = { PATH = "/tmp" }
  }
  expect_failures = [var.environment]
}

run "refuses_to_be_told_twice_what_it_serves" {
  command = plan
  variables {
    environment = { ORDERS_API__FUNCTIONS = "[]" }
  }
  expect_failures = [var.environment]
}

run "refuses_to_serve_nothing" {
  command = plan
  variables {
    serves = []
  }
  expect_failures = [var.serves]
}

run "refuses_names_that_lambda_or_a_role_would_not_take" {
  command = plan
  variables {
    prefix = "Orders_test"
    name   = "a_b"
  }
  expect_failures = [var.prefix, var.name]
}

run "refuses_sizes_that_do_not_exist" {
  command = plan
  variables {
    memory_mb            = 128
    reserved_concurrency = -1
    log_retention_days   = 42
    log_level            = "LOUD"
  }
  expect_failures = [var.memory_mb, var.reserved_concurrency, var.log_retention_days, var.log_level]
}

run "refuses_other_runtimes_and_processors" {
  command = plan
  variables {
    runtime      = "python3.9"
    architecture = "riscv"
  }
  expect_failures = [var.runtime, var.architecture]
}

run "refuses_a_vpc_without_subnets" {
  command = plan
  variables {
    vpc = { subnet_ids = [], security_group_ids = [] }
  }
  expect_failures = [var.vpc]
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
    error_message = "it may read its own parameters"
  }

  assert {
    condition     = jsonencode([for each in jsondecode(aws_iam_role_policy.this.policy).Statement : each.Condition if startswith(each.Sid, "DecryptParameters")]) == jsonencode([{ StringEquals = { "kms:EncryptionContext:PARAMETER_ARN" = var.secret_arns, "kms:ViaService" = "ssm.eu-west-1.amazonaws.com" } }])
    error_message = "and use their key for nothing else"
  }
}
