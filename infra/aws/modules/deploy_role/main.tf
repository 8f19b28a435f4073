# The role with which a pipeline deploys one environment: GitHub proves by OIDC which workflow asks, so there is no key to
# keep or to lose. It may change what carries the environment's name, and make roles only below a boundary that forbids
# them everything but what the environment's programs do.

data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  prefix    = "${var.name}-${var.environment}"
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name
  account   = data.aws_caller_identity.current.account_id
  iam       = "arn:${local.partition}:iam::${local.account}"
}

resource "aws_iam_role" "this" {
  name                 = "${local.prefix}-github-apply"
  description          = "GitHub deploys ${local.prefix}"
  max_session_duration = 3600
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = var.oidc_provider_arn }
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = var.subjects
        }
      }
    }]
  })
}

# What a role of the environment may be given at most.
resource "aws_iam_policy" "boundary" {
  # checkov:skip=CKV_AWS_290:a boundary grants nothing; it is the most that a role of the environment can be granted
  # checkov:skip=CKV_AWS_355:likewise
  # checkov:skip=CKV_AWS_289:likewise
  name        = "${local.prefix}-boundary"
  description = "The most that a role of ${local.prefix} can be granted"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "WhatProgramsDo"
        Effect = "Allow"
        Action = [
          "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
          "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
          "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer",
          "kms:Decrypt", "kms:GenerateDataKey",
          "logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:PutLogEvents",
          "logs:PutRetentionPolicy",
          "s3:GetObject", "s3:ListBucket", "s3:PutObject",
          "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue",
          "xray:PutTelemetryRecords", "xray:PutTraceSegments",
        ]
        # A boundary is the frame; each role's own policy names the resources.
        Resource = ["*"]
      },
    ]
  })
}
