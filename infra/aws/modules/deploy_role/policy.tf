# What the pipeline may do, in two policies for IAM's limit of size: the environment's own resources, and the services
# whose resources have no names before they exist.

resource "aws_iam_role_policy" "releases" {
  name = "state-and-releases"
  role = aws_iam_role.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "FindTheState"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [var.state_bucket_arn, var.artifact_bucket_arn]
      },
      {
        Sid      = "KeepTheState"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = ["${var.state_bucket_arn}/${var.environment}/*"] # the environment's states, and no other's
      },
      {
        Sid      = "ReleaseTheStateLock"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject"]
        Resource = ["${var.state_bucket_arn}/${var.environment}/*.tflock"] # lock files alone
      },
      {
        Sid      = "PublishFunctions"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:GetObjectAttributes", "s3:PutObject"]
        Resource = ["${var.artifact_bucket_arn}/functions/*"] # releases
      },
      {
        Sid    = "PublishImages"
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
          "ecr:DescribeRepositories", "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage",
          "ecr:UploadLayerPart",
        ]
        Resource = var.repository_arns
      },
      {
        Sid    = "SignInToRegistry"
        Effect = "Allow"
        Action = ["ecr:GetAuthorizationToken"]
        # ECR's sign-in is for a registry as a whole: the action knows no resource.
        Resource = ["*"]
      },
      {
        Sid      = "UseTheKeys"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"]
        Resource = var.kms_key_arns
      },
    ]
  })
}

resource "aws_iam_role_policy" "roles" {
  name = "roles"
  role = aws_iam_role.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "ReadRoles"
        Effect = "Allow"
        Action = [
          "iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies",
          "iam:ListInstanceProfilesForRole", "iam:ListPolicyVersions", "iam:ListRolePolicies",
        ]
        Resource = ["${local.iam}:role/${local.prefix}-*", "${local.iam}:policy/${local.prefix}-*"]
      },
      {
        Sid    = "MakeRolesBelowTheBoundary"
        Effect = "Allow"
        Action = [
          "iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy",
          "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy",
        ]
        Resource  = ["${local.iam}:role/${local.prefix}-*"]
        Condition = { StringEquals = { "iam:PermissionsBoundary" = aws_iam_policy.boundary.arn } }
      },
      {
        Sid      = "KeepRoles"
        Effect   = "Allow"
        Action   = ["iam:DeleteRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole"]
        Resource = ["${local.iam}:role/${local.prefix}-*"]
      },
      {
        # Its own role and boundary are the bootstrap's: a pipeline must not widen itself.
        Sid      = "NotItself"
        Effect   = "Deny"
        Action   = ["iam:AttachRolePolicy", "iam:DeleteRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"]
        Resource = [aws_iam_role.this.arn]
      },
      {
        Sid      = "HandRolesToServices"
        Effect   = "Allow"
        Action   = ["iam:PassRole"]
        Resource = ["${local.iam}:role/${local.prefix}-*"]
        Condition = { StringEquals = { "iam:PassedToService" = [
          "ecs-tasks.amazonaws.com", "lambda.amazonaws.com", "monitoring.rds.amazonaws.com", "vpc-flow-logs.amazonaws.com",
        ] } }
      },
      {
        Sid      = "LetServicesMakeTheirOwnRoles"
        Effect   = "Allow"
        Action   = ["iam:CreateServiceLinkedRole"]
        Resource = ["${local.iam}:role/aws-service-role/*"] # AWS's own roles, for the four services below
        Condition = { StringEquals = { "iam:AWSServiceName" = [
          "ecs.amazonaws.com", "ecs.application-autoscaling.amazonaws.com", "ops.apigateway.amazonaws.com", "rds.amazonaws.com",
        ] } }
      },
    ]
  })
}

resource "aws_iam_role_policy" "environment" {
  # checkov:skip=CKV_AWS_290:the services whose resources carry no name of ours before they exist are named one by one
  # checkov:skip=CKV_AWS_355:likewise; what has a name is bound to the environment's prefix
  name = "environment"
  role = aws_iam_role.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "ByName"
        Effect = "Allow"
        # Everything of these services, on resources with the environment's name.
        Action = ["cloudwatch:*", "ecs:*", "events:*", "lambda:*", "logs:*", "rds:*", "sns:*"]
        Resource = [
          "arn:${local.partition}:cloudwatch:${local.region}:${local.account}:alarm:${local.prefix}-*",
          "arn:${local.partition}:cloudwatch::${local.account}:dashboard/${local.prefix}",
          "arn:${local.partition}:ecs:${local.region}:${local.account}:cluster/${local.prefix}",
          "arn:${local.partition}:ecs:${local.region}:${local.account}:service/${local.prefix}/*", # of this cluster
          "arn:${local.partition}:ecs:${local.region}:${local.account}:task/${local.prefix}/*",    # of this cluster
          "arn:${local.partition}:ecs:${local.region}:${local.account}:task-definition/${local.prefix}-*:*",
          "arn:${local.partition}:events:${local.region}:${local.account}:rule/${local.prefix}-*",
          "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${local.prefix}-*",
          "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/*/${local.prefix}/*", # its tasks'
          "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/*/${local.prefix}*",  # and the others
          "arn:${local.partition}:rds:${local.region}:${local.account}:*:${local.prefix}*",
          "arn:${local.partition}:sns:${local.region}:${local.account}:${local.prefix}-*",
        ]
      },
      {
        Sid      = "FilesBucket"
        Effect   = "Allow"
        Action   = ["s3:*"] # the environment's own bucket, whose objects are deleted with it where that is allowed
        Resource = ["arn:${local.partition}:s3:::${local.prefix}-files-*"]
      },
      {
        Sid      = "SecretsButNotTheirValues"
        Effect   = "Allow"
        Action   = ["secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy"]
        Resource = ["arn:${local.partition}:secretsmanager:${local.region}:${local.account}:secret:${var.name}/${var.environment}/*"] # the five
      },
      {
        Sid    = "MasterPasswordOfTheDatabase"
        Effect = "Allow"
        Action = ["secretsmanager:CreateSecret", "secretsmanager:TagResource", "secretsmanager:DescribeSecret"]
        # RDS makes it in the caller's name; its name begins with rds! and is not known before.
        Resource = ["arn:${local.partition}:secretsmanager:${local.region}:${local.account}:secret:rds!*"]
      },
      {
        Sid    = "WithoutNames"
        Effect = "Allow"
        Action = [
          "acm:AddTagsToCertificate", "acm:DeleteCertificate", "acm:DescribeCertificate", "acm:ListTagsForCertificate",
          "acm:RequestCertificate", "apigateway:*", "application-autoscaling:*", "cloudwatch:DescribeAlarms",
          "cloudwatch:ListTagsForResource", "ec2:*", "ecs:CreateCluster", "ecs:DeregisterTaskDefinition",
          "ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions", "ecs:RegisterTaskDefinition", "ecs:TagResource",
          "kms:CreateAlias", "kms:CreateGrant", "kms:CreateKey", "kms:DescribeKey", "kms:EnableKeyRotation",
          "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListAliases", "kms:ListResourceTags", "kms:PutKeyPolicy",
          "kms:ScheduleKeyDeletion", "kms:DeleteAlias", "kms:TagResource", "kms:Decrypt", "kms:GenerateDataKey",
          "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
          "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
          "rds:DescribeDBClusters", "rds:DescribeDBEngineVersions", "rds:DescribeDBInstances", "rds:DescribeDBSnapshots",
          "route53:ChangeResourceRecordSets", "route53:GetChange", "route53:GetHostedZone", "route53:ListResourceRecordSets",
        ]
        # Networks, APIs, keys and certificates get their ids when they are made; nothing can be named before. An account
        # of its own for each environment is the fence here, and is what AWS advises.
        Resource  = ["*"]
        Condition = { StringEquals = { "aws:RequestedRegion" = [local.region, "us-east-1"] } }
      },
    ]
  })
}
