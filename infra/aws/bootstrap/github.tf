# GitHub's workflows as callers: one role that reads, for plans of pull requests, and one role an environment that changes.

locals {
  github   = var.github_repository != null
  provider = "token.actions.githubusercontent.com"
  provider_arn = local.github ? coalesce(
    var.github_provider_arn, one(aws_iam_openid_connect_provider.github[*].arn),
  ) : null
  deployed = local.github ? var.environments : toset([])
}

resource "aws_iam_openid_connect_provider" "github" {
  count = local.github && var.github_provider_arn == null ? 1 : 0

  url            = "https://${local.provider}"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "plan" {
  count = local.github ? 1 : 0

  name                 = "${var.name}-github-plan"
  description          = "GitHub plans: reads what there is, changes nothing"
  max_session_duration = 3600
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = local.provider_arn }
      Condition = {
        StringEquals = {
          "${local.provider}:aud" = "sts.amazonaws.com"
          "${local.provider}:sub" = "repo:${var.github_repository}:pull_request"
        }
      }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "plan" {
  count = local.github ? 1 : 0

  role = aws_iam_role.plan[0].name
  # AWS's own list of what only reads; of secrets it reads no value.
  policy_arn = "arn:${local.partition}:iam::aws:policy/ReadOnlyAccess"
}

resource "aws_iam_role_policy" "plan" {
  count = local.github ? 1 : 0

  name = "state"
  role = aws_iam_role.plan[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ReadEncryptedStates"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = [aws_kms_key.this.arn]
      },
      {
        # ReadOnlyAccess may one day read more than it should.
        Sid    = "NoValueOfASecret"
        Effect = "Deny"
        Action = ["secretsmanager:GetSecretValue"]
        # A refusal, wherever the secret is.
        Resource = ["*"]
      },
    ]
  })
}

module "deploy_role" {
  source   = "../modules/deploy_role"
  for_each = local.deployed

  name                = var.name
  environment         = each.key
  oidc_provider_arn   = local.provider_arn
  subjects            = lookup(var.github_subjects, each.key, ["repo:${var.github_repository}:environment:${each.key}"])
  state_bucket_arn    = aws_s3_bucket.this["state"].arn
  artifact_bucket_arn = aws_s3_bucket.this["artifacts"].arn
  repository_arns     = values(module.registry.repository_arns)
  kms_key_arns        = [aws_kms_key.this.arn]
}
