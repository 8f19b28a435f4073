# What a plan asks of AWS: the state, and how everything is that the state speaks of. AWS's own ReadOnlyAccess would read
# the objects of every bucket and the logs as well.

locals {
  reading = concat(
    [
      {
        Sid    = "SeeWhatIsDeployed"
        Effect = "Allow"
        # Verbs that only look, of the services that are deployed.
        Action = [
          "acm:DescribeCertificate", "acm:ListTagsForCertificate", "apigateway:GET",
          "application-autoscaling:Describe*", "application-autoscaling:ListTagsForResource",
          "cloudwatch:DescribeAlarms", "cloudwatch:GetDashboard", "cloudwatch:ListTagsForResource",
          "ec2:Describe*", "ecr:DescribeImages", "ecr:DescribeRepositories", "ecs:Describe*", "ecs:List*",
          "events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule",
          "iam:Get*Policy", "iam:GetPolicyVersion", "iam:GetRole", "iam:ListAttachedRolePolicies",
          "iam:ListInstanceProfilesForRole", "iam:ListPolicyVersions", "iam:ListRolePolicies", "iam:ListRoleTags",
          "kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListAliases", "kms:ListResourceTags",
          "lambda:GetAlias", "lambda:GetFunction*", "lambda:GetPolicy", "lambda:GetProvisionedConcurrencyConfig",
          "lambda:List*", "logs:Describe*", "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:ListTagsForResource",
          "rds:Describe*", "rds:ListTagsForResource", "route53:Get*", "route53:List*", "s3:GetBucket*",
          "s3:GetAccelerateConfiguration", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration",
          "s3:GetReplicationConfiguration", "secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy",
          "sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic",
          "sns:ListTagsForResource",
        ]
        # Most of these know no resource, and what there is can be no secret to who plans it.
        Resource = ["*"]
      },
      {
        Sid      = "FindStatesReleasesAndFiles"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [var.state_bucket_arn, var.artifact_bucket_arn, "arn:${local.aws}:s3:::${var.name}-*-files-${local.account}"]
      },
      {
        Sid    = "ReadStates"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        # One environment's, or every environment's for plans.
        Resource = ["${var.state_bucket_arn}/${coalesce(var.environment, "*")}/terraform.tfstate"]
      },
      {
        Sid      = "ReadReleases"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:GetObjectAttributes", "s3:GetObjectTagging", "s3:GetObjectVersion"]
        Resource = ["${var.artifact_bucket_arn}/functions/*"] # every release
      },
      {
        Sid      = "DecryptVariablesOfFunctions"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["${local.here["kms"]}:key/*"] # keys have no names; the tag says whose they are
        Condition = {
          StringEquals = { "aws:ResourceTag/Project" = var.name, "kms:ViaService" = "lambda.${local.region}.amazonaws.com" }
        }
      },
    ],
    [for arns in [var.kms_key_arns] : {
      Sid       = "DecryptStatesAndReleases"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = arns
      Condition = { StringEquals = { "kms:ViaService" = "s3.${local.region}.amazonaws.com" } }
    } if length(arns) > 0],
  )

  state = concat(
    [
      {
        Sid      = "KeepTheState"
        Effect   = "Allow"
        Action   = ["s3:PutObject"]
        Resource = ["${var.state_bucket_arn}/${coalesce(var.environment, "none")}/terraform.tfstate"]
      },
      {
        Sid      = "LockTheState"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
        Resource = ["${var.state_bucket_arn}/${coalesce(var.environment, "none")}/terraform.tfstate.tflock"]
      },
    ],
    [for arns in [var.kms_key_arns] : {
      Sid       = "EncryptTheState"
      Effect    = "Allow"
      Action    = ["kms:GenerateDataKey"]
      Resource  = arns
      Condition = { StringEquals = { "kms:ViaService" = "s3.${local.region}.amazonaws.com" } }
    } if length(arns) > 0],
  )
}
