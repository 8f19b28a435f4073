# What `make publish` does: a zip into the bucket and images into the registries, both of which refuse to overwrite.

locals {
  publishing = concat(
    [
      {
        Sid      = "LookForARelease"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [var.artifact_bucket_arn]
      },
      {
        Sid      = "PublishFunctions"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = ["${var.artifact_bucket_arn}/functions/*"] # every release
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
    ],
    [for arns in [var.kms_key_arns] : {
      Sid       = "EncryptReleases"
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = arns
      Condition = { StringEquals = { "kms:ViaService" = "s3.${local.region}.amazonaws.com" } }
    } if length(arns) > 0],
  )
}
