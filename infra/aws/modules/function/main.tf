# One Lambda function of the edge: a published release's zip, its own role, its own log, the alias `live` that the
# gateway calls. An invocation is answered or it is not: there is no queue behind it, so nothing to put aside.

data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  function_name = "${var.prefix}-${var.name}"
}

resource "aws_cloudwatch_log_group" "this" {
  # checkov:skip=CKV_AWS_338:how long logs are kept is the environment's decision, with a year as the default
  # checkov:skip=CKV_AWS_158:the key is a variable; without one CloudWatch Logs encrypts with its own
  name              = "/aws/lambda/${local.function_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_115:a variable; the account's own limit holds where it is null
  # checkov:skip=CKV_AWS_116:a dead letter queue is for asynchronous calls; the gateway's are answered, and the sender tries again
  # checkov:skip=CKV_AWS_117:it calls AWS and a public Temporal address; a VPC is a variable, for a private one
  # checkov:skip=CKV_AWS_173:the variables hold no secret, only the names of secrets; the key is a variable
  # checkov:skip=CKV_AWS_272:the zip is pinned by its SHA-256 instead of a signature
  # checkov:skip=CKV_AWS_50:a variable that is on unless somebody switches it off
  function_name    = local.function_name
  description      = "Orders at the edge: ${join(", ", var.serves)}"
  role             = aws_iam_role.this.arn
  s3_bucket        = var.artifact_bucket
  s3_key           = var.artifact_key
  source_code_hash = var.artifact_sha256_base64
  handler          = "functions.lambda_handler.handler"
  runtime          = var.runtime
  architectures    = [var.architecture]
  memory_size      = var.memory_mb
  timeout          = var.timeout_seconds
  # Versions are what an alias points to, and what a snapshot is made of.
  publish                        = true
  reserved_concurrent_executions = var.reserved_concurrency == null ? -1 : var.reserved_concurrency
  kms_key_arn                    = var.kms_key_arn

  environment {
    variables = merge(
      var.environment,
      { ORDERS_API__FUNCTIONS = jsonencode(var.serves) },
      length(var.secret_arns) > 0 ? { SECRETS_MANAGER_ARNS = join(",", var.secret_arns) } : {},
    )
  }

  logging_config {
    # The function writes its own JSON; Lambda's lines about it are JSON as well.
    log_format            = "JSON"
    application_log_level = "INFO"
    system_log_level      = "WARN"
    log_group             = aws_cloudwatch_log_group.this.name
  }

  tracing_config {
    mode = var.tracing_enabled ? "Active" : "PassThrough"
  }

  dynamic "snap_start" {
    for_each = var.snap_start_enabled ? ["PublishedVersions"] : []

    content {
      apply_on = snap_start.value
    }
  }

  dynamic "vpc_config" {
    for_each = var.vpc == null ? [] : [var.vpc]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  # A function that may not write its log starts all the same, and nobody sees why it fails.
  depends_on = [aws_iam_role_policy.this]
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "What the gateway calls"
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version
}

resource "aws_lambda_provisioned_concurrency_config" "this" {
  count = var.provisioned_concurrency > 0 ? 1 : 0

  function_name                     = aws_lambda_function.this.function_name
  qualifier                         = aws_lambda_alias.live.name
  provisioned_concurrent_executions = var.provisioned_concurrency
}
