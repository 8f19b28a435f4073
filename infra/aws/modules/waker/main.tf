# What lets the worker sleep: one function of the release, once a minute. It asks Temporal whether there is work, and sets
# the number of tasks of each service between none and its fewest. The function is modules/function's; the clock is here.

locals {
  function_name = "${var.prefix}-waker"
  # Less than the minute until the next look, so that two never decide at once.
  timeout_seconds = 50
}

module "function" {
  source = "../function"

  prefix = var.prefix
  name   = "waker"
  program = {
    handler     = "infra.waker.lambda_handler.handler"
    description = "Wakes the services of ${var.cluster_name} when there is work, and lets them sleep"
    variables = {
      WAKER = jsonencode({
        cluster       = var.cluster_name
        after_minutes = var.after_minutes
        services      = { for service in values(var.services) : service.name => { queues = service.queues, tasks = service.tasks } }
      })
    }
    # ECS knows no narrower right than to change a service.
    statements = [{
      Sid      = "SizeServices"
      Action   = ["ecs:DescribeServices", "ecs:UpdateService"]
      Resource = sort([for service in values(var.services) : service.arn])
    }]
  }
  memory_mb       = 256
  timeout_seconds = local.timeout_seconds
  # There is nothing to trace: it is called by a clock and writes down what it decides.
  tracing_enabled = false

  artifact_bucket          = var.function.artifact_bucket
  artifact_key             = var.function.artifact_key
  artifact_sha256_base64   = var.function.artifact_sha256_base64
  runtime                  = var.function.runtime
  architecture             = var.function.architecture
  environment              = var.function.environment
  secret_arns              = var.function.secret_arns
  secret_kms_key_arns      = var.function.secret_kms_key_arns
  kms_key_arn              = var.function.kms_key_arn
  vpc                      = var.function.vpc
  permissions_boundary_arn = var.function.permissions_boundary_arn
  log_retention_days       = var.function.log_retention_days
}

# A look that failed is not made again before the next minute's.
resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = module.function.function_name
  qualifier                    = module.function.alias_name
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
  arn       = module.function.alias_arn
}

resource "aws_lambda_permission" "every_minute" {
  statement_id  = "every-minute"
  action        = "lambda:InvokeFunction"
  function_name = module.function.function_name
  qualifier     = module.function.alias_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.every_minute.arn
}
