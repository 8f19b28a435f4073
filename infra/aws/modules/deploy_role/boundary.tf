# The most that a role of the environment can be granted, whoever writes its policy: what our programs, and the services
# that work for them, do. The apply role may make no role without it.

resource "aws_iam_policy" "boundary" {
  # checkov:skip=CKV_AWS_290:a boundary grants nothing; it is the most that a role of the environment can be granted
  # checkov:skip=CKV_AWS_355:a boundary grants nothing, so neither does a star in it
  count = var.access == "apply" ? 1 : 0

  name        = "${local.prefix}-boundary"
  description = "The most that a role of ${local.prefix} can be granted"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "OwnSecrets"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"]
        Resource = ["${local.here["secretsmanager"]}:secret:${var.name}/${var.environment}/*", "${local.here["secretsmanager"]}:secret:rds!*"] # ours, and RDS's master password
      },
      {
        Sid      = "OwnParameters"
        Effect   = "Allow"
        Action   = ["ssm:GetParameter", "ssm:GetParameterHistory", "ssm:GetParameters", "ssm:PutParameter"]
        Resource = ["${local.here["ssm"]}:parameter/${var.name}/${var.environment}/*"] # ours
      },
      {
        Sid      = "OwnFiles"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListBucket", "s3:PutObject"]
        Resource = ["arn:${local.aws}:s3:::${local.prefix}-files-${local.account}", "arn:${local.aws}:s3:::${local.prefix}-files-${local.account}/*"]
      },
      {
        Sid    = "OwnLogs"
        Effect = "Allow"
        Action = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:PutLogEvents", "logs:PutRetentionPolicy"]
        Resource = [
          "${local.here["logs"]}:log-group:/aws/lambda/${local.prefix}-*", # of functions
          "${local.here["logs"]}:log-group:/ecs/${local.prefix}/*",        # of tasks
          "${local.here["logs"]}:log-group:/vpc/${local.prefix}/*",        # of the network
          "${local.here["logs"]}:log-group:RDS*",                          # where RDS writes figures of its machines
        ]
      },
      {
        # The waker sets how many tasks there are.
        Sid      = "OwnServices"
        Effect   = "Allow"
        Action   = ["ecs:DescribeServices", "ecs:UpdateService"]
        Resource = ["${local.here["ecs"]}:service/${local.prefix}/*"] # of this cluster
      },
      {
        Sid      = "OwnImages"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = var.repository_arns
      },
      {
        Sid       = "KeysThroughServices"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"]
        Resource  = ["${local.here["kms"]}:key/*"] # keys have no names; the tag says whose they are
        Condition = { StringEquals = { "aws:ResourceTag/Project" = var.name } }
      },
      {
        Sid    = "WithoutResources"
        Effect = "Allow"
        Action = [
          "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
          "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
          "ecr:GetAuthorizationToken", "logs:DescribeLogGroups", "xray:PutTelemetryRecords", "xray:PutTraceSegments",
        ]
        # These know no resource, or none that could be named before it exists.
        Resource = ["*"]
      },
    ]
  })
}
