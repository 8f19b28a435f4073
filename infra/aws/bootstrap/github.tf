# GitHub's workflows as callers: a role that plans, one that publishes releases, and one for each environment that applies.

locals {
  github = var.github_repository != null
  # Static keys: "plan", "publish" and the environments.
  github_roles = !local.github ? {} : merge(
    { plan = { access = "plan", environment = null, subject = "pull_request" } },
    { publish = { access = "publish", environment = null, subject = "ref:refs/heads/main" } },
    { for name in var.environments : name => { access = "apply", environment = name, subject = "environment:${name}" } },
  )
}

resource "aws_iam_openid_connect_provider" "github" {
  count = local.github && var.github_provider_arn == null ? 1 : 0

  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

module "deploy_role" {
  source   = "../modules/deploy_role"
  for_each = local.github_roles

  name                = var.name
  access              = each.value.access
  environment         = each.value.environment
  oidc_provider_arn   = var.github_provider_arn == null ? one(aws_iam_openid_connect_provider.github[*].arn) : var.github_provider_arn
  subjects            = lookup(var.github_subjects, each.key, ["repo:${var.github_repository}:${each.value.subject}"])
  state_bucket_arn    = aws_s3_bucket.this["state"].arn
  artifact_bucket_arn = aws_s3_bucket.this["artifacts"].arn
  repository_arns     = values(module.registry.repository_arns)
  kms_key_arns        = [aws_kms_key.this.arn]
  zone_ids            = var.zone_ids
}
