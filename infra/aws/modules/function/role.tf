# What the function may do: write its own log, read its own secrets, report traces, and what its program does besides. No
# database, no bucket, no key that moves money.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

resource "aws_iam_role" "this" {
  name                 = "${local.function_name}-function"
  description          = "What the function ${local.function_name} may do"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "run"
  role = aws_iam_role.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${aws_cloudwatch_log_group.this.arn}:*"] # the streams of this group
      }],
      [for arns in [local.secret_arns] : {
        Sid      = "ReadSecrets"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = arns
      } if length(arns) > 0],
      [for arn in length(local.secret_arns) == 0 ? [] : var.secret_kms_key_arns : {
        Sid       = "Decrypt${substr(sha1(arn), 0, 8)}"
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = [arn]
        Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${data.aws_region.current.name}.amazonaws.com" } }
      }],
      [for arns in [local.parameter_arns] : {
        Sid      = "ReadParameters"
        Effect   = "Allow"
        Action   = ["ssm:GetParameters"]
        Resource = arns
      } if length(arns) > 0],
      [for arn in length(local.parameter_arns) == 0 ? [] : var.secret_kms_key_arns : {
        Sid      = "DecryptParameters${substr(sha1(arn), 0, 8)}"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = [arn]
        Condition = { StringEquals = {
          "kms:EncryptionContext:PARAMETER_ARN" = local.parameter_arns
          "kms:ViaService"                      = "ssm.${data.aws_region.current.name}.amazonaws.com"
        } }
      }],
      # Lambda has a grant of its own on the key, but for the role as it was when the function was made.
      [for arn in var.kms_key_arn == null ? [] : [var.kms_key_arn] : {
        Sid      = "DecryptOwnVariables"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = [arn]
        Condition = {
          StringEquals = { "kms:EncryptionContext:aws:lambda:FunctionArn" = local.function_arn }
        }
      }],
      [for statement in var.program == null ? [] : var.program.statements : merge(statement, { Effect = "Allow" })],
      [for action in var.tracing_enabled ? [["xray:PutTelemetryRecords", "xray:PutTraceSegments"]] : [] : {
        Sid    = "ReportTraces"
        Effect = "Allow"
        Action = action
        # X-Ray's two actions know no resource.
        Resource = ["*"]
      }],
      [for vpc in var.vpc == null ? [] : [var.vpc] : {
        Sid    = "AttachToTheVpc"
        Effect = "Allow"
        Action = [
          "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
          "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
        ]
        # Lambda asks for these in the function's name before there is an interface that could be named.
        Resource = ["*"]
      }],
    )
  })
}

locals {
  parameter_arns = [for arn in var.secret_arns : arn if strcontains(arn, ":parameter/")]
  secret_arns    = [for arn in var.secret_arns : arn if !strcontains(arn, ":parameter/")]

  # Written out: the function needs the role's policy before it exists.
  function_arn = join(":", [
    "arn:${data.aws_partition.current.partition}:lambda", data.aws_region.current.name,
    data.aws_caller_identity.current.account_id, "function", local.function_name,
  ])
}
