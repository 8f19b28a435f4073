# One Lambda function: a published version of the release's zip behind the alias "live", and its log. Its role is in
# role.tf. It serves routes of the API, or runs another program of the zip.

locals {
  function_name = "${var.prefix}-${var.name}"

  environment = merge(
    { ORDERS_ENV = "production" },
    var.environment,
    var.program == null ? { ORDERS_API__FUNCTIONS = jsonencode(var.serves) } : var.program.variables,
    length(local.secret_arns) == 0 ? {} : { SECRETS_MANAGER_ARNS = join(",", local.secret_arns) },
    length(local.parameter_arns) == 0 ? {} : { PARAMETER_STORE_ARNS = join(",", local.parameter_arns) },
  )
}

resource "aws_cloudwatch_log_group" "this" {
  # checkov:skip=CKV_AWS_338:how long logs are kept is a variable; an environment to try things in keeps them for days
  name              = "/aws/lambda/${local.function_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_116:who invokes it waits for the answer, or asks again by itself; a dead letter queue is for events that happen once
  # checkov:skip=CKV_AWS_272:the zip is pinned by its checksum, and only the pipeline may write releases
  function_name = local.function_name
  description   = var.program == null ? "Serves ${join(", ", var.serves)}" : var.program.description
  role          = aws_iam_role.this.arn

  s3_bucket        = var.artifact_bucket
  s3_key           = var.artifact_key
  source_code_hash = var.artifact_sha256_base64
  handler          = var.program == null ? "functions.lambda_handler.handler" : var.program.handler
  runtime          = var.runtime
  architectures    = [var.architecture]
  # An alias points at a version, and a version never changes: that is what can be rolled back to.
  publish = true

  memory_size                    = var.memory_mb
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = var.reserved_concurrency == null ? -1 : var.reserved_concurrency
  kms_key_arn                    = var.kms_key_arn

  environment {
    variables = local.environment
  }

  logging_config {
    log_group             = aws_cloudwatch_log_group.this.name
    log_format            = "JSON"
    application_log_level = var.log_level
    system_log_level      = "WARN"
  }

  tracing_config {
    mode = var.tracing_enabled ? "Active" : "PassThrough"
  }

  dynamic "snap_start" {
    for_each = var.snap_start_enabled ? ["this"] : []

    content {
      apply_on = "PublishedVersions"
    }
  }

  dynamic "vpc_config" {
    for_each = var.vpc == null ? [] : [var.vpc]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  # Lambda tries the role when it makes the function.
  depends_on = [aws_iam_role_policy.this]
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "What is invoked: a version of the release"
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version
}

resource "aws_lambda_provisioned_concurrency_config" "live" {
  count = var.provisioned_concurrency > 0 ? 1 : 0

  function_name                     = aws_lambda_alias.live.function_name
  qualifier                         = aws_lambda_alias.live.name
  provisioned_concurrent_executions = var.provisioned_concurrency
}
