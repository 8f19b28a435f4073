# One topic for all that a person must look at. Alarms write when they begin and when they end.

data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  region  = data.aws_region.current.name
  account = data.aws_caller_identity.current.account_id

  # An alarm that nobody reads is paid for all the same.
  watched   = var.alarms != "none"
  topic_arn = one(aws_sns_topic.this[*].arn)
}

resource "aws_sns_topic" "this" {
  count = local.watched ? 1 : 0

  name              = "${var.prefix}-alarms"
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic_policy" "this" {
  count = local.watched ? 1 : 0

  arn = local.topic_arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AlarmsOfThisAccount"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = ["sns:Publish"]
        Resource  = [local.topic_arn]
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
      {
        # Without a condition: EventBridge knows none in the policies of topics.
        Sid       = "Events"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = ["sns:Publish"]
        Resource  = [local.topic_arn]
      },
      {
        Sid       = "OnlyTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["sns:Publish"]
        Resource  = [local.topic_arn]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "email" {
  count = var.alarm_email == null ? 0 : 1

  topic_arn = local.topic_arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

# A release that did not come up, and that ECS took back: Terraform may have given up waiting by then.
resource "aws_cloudwatch_event_rule" "deploy_failed" {
  count = local.watched ? 1 : 0

  name        = "${var.prefix}-deploy-failed"
  description = "ECS gave a deployment up (and rolled it back)"
  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Deployment State Change"]
    resources   = sort([for service in values(var.services) : service.arn])
    detail      = { eventName = ["SERVICE_DEPLOYMENT_FAILED"] }
  })
}

resource "aws_cloudwatch_event_target" "deploy_failed" {
  count = local.watched ? 1 : 0

  rule      = aws_cloudwatch_event_rule.deploy_failed[0].name
  target_id = "topic"
  arn       = local.topic_arn
}
