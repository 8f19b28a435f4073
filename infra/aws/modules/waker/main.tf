# What lets the worker sleep: one Lambda function, once a minute, from the same zip as the functions. It asks Temporal
# whether there is work, and sets the number of tasks of each service between none and its fewest.

locals {
  function_name = "${var.prefix}-waker"
}

resource "aws_cloudwatch_log_group" "this" {
  # checkov:skip=CKV_AWS_158:the key is a variable; without one CloudWatch encrypts with its own
  # checkov:skip=CKV_AWS_338:how long logs are kept is a variable; an environment to try things in keeps them for days
  name              = "/aws/lambda/${local.function_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_115:one invocation a minute needs no ceiling, and a new account has none to reserve
  # checkov:skip=CKV_AWS_116:a look that failed is made again in a minute; a dead letter queue is for events that happen once
  # checkov:skip=CKV_AWS_117:no VPC unless Temporal's address is private; it would cost a NAT gateway and guard nothing
  # checkov:skip=CKV_AWS_173:the key of the variables is a variable, and no secret is among them
  # checkov:skip=CKV_AWS_272:the zip is pinned by its checksum, and only the pipeline may write releases
  # checkov:skip=CKV_AWS_50:there is nothing to trace: it is called by a clock and writes down what it decides
  function_name = local.function_name
  description   = "Wakes the services of ${var.cluster_name} when there is work, and lets them sleep"
  role          = aws_iam_role.this.arn

  s3_bucket        = var.artifact_bucket
  s3_key           = var.artifact_key
  source_code_hash = var.artifact_sha256_base64
  handler          = "infra.waker.lambda_handler.handler"
  runtime          = var.runtime
  architectures    = [var.architecture]
  # As the functions: what is invoked is a version, and a version never changes.
  publish = true

  memory_size = 256
  # Less than the minute until the next look, so that two never decide at once.
  timeout     = 50
  kms_key_arn = var.kms_key_arn

  environment {
    variables = merge(
      { ORDERS_ENV = "production" },
      var.environment,
      {
        WAKER = jsonencode({
          cluster       = var.cluster_name
          after_minutes = var.after_minutes
          services      = { for service in values(var.services) : service.name => { queues = service.queues, tasks = service.tasks } }
        })
      },
      length(local.secret_arns) == 0 ? {} : { SECRETS_MANAGER_ARNS = join(",", local.secret_arns) },
      length(local.parameter_arns) == 0 ? {} : { PARAMETER_STORE_ARNS = join(",", local.parameter_arns) },
    )
  }

  logging_config {
    log_group             = aws_cloudwatch_log_group.this.name
    log_format            = "JSON"
    application_log_level = "INFO"
    system_log_level      = "WARN"
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
  description      = "What the clock invokes"
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version
}

# A look that failed is not made again before the next minute's.
resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = aws_lambda_function.this.function_name
  qualifier                    = aws_lambda_alias.live.name
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 60
}

resource "aws_cloudwatch_event_rule" "every_minute" {
  name                = local.function_name
  description         = "The waker looks once a minute"
  schedule_expression = "rate(1 minute)"
}

resource "aws_cloudwatch_event_target" "every_minute" {
  rule      = aws_cloudwatch_event_rule.every_minute.name
  target_id = "waker"
  arn       = aws_lambda_alias.live.arn
}

resource "aws_lambda_permission" "every_minute" {
  statement_id  = "every-minute"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.function_name
  qualifier     = aws_lambda_alias.live.name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.every_minute.arn
}
