# A role for GitHub's workflows, which prove by OIDC who asks, so that there is no key to keep or to lose. Three kinds:
#   plan      reads what is deployed (reading.tf)
#   publish   adds a release to the buckets and registries (publishing.tf)
#   apply     changes one environment (reading.tf, applying.tf), and makes roles only below a boundary (boundary.tf)
# No kind can read the value of a secret, or change itself.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  role_name = var.access == "apply" ? "${local.prefix}-github-apply" : "${var.name}-github-${var.access}"
  # Of the environment that is applied; for the other kinds nothing is named after it.
  prefix  = "${var.name}-${coalesce(var.environment, "none")}"
  aws     = data.aws_partition.current.partition
  region  = data.aws_region.current.name
  account = data.aws_caller_identity.current.account_id
  # "arn:aws:<service>:<region>:<account>" of what is here.
  here     = { for service in ["cloudwatch", "ecs", "events", "kms", "lambda", "logs", "rds", "secretsmanager", "sns", "ssm"] : service => "arn:${local.aws}:${service}:${local.region}:${local.account}" }
  iam      = "arn:${local.aws}:iam::${local.account}"
  provider = "token.actions.githubusercontent.com"

  policies = { for kind, statements in {
    secrets    = jsonencode(local.no_secret)
    publishing = jsonencode(local.publishing)
    reading    = jsonencode(local.reading)
    state      = jsonencode(local.state)
    roles      = jsonencode(local.roles)
    named      = jsonencode(local.named)
    network    = jsonencode(local.network)
    unnamed    = jsonencode(local.unnamed)
  } : kind => statements if contains(local.kinds[var.access], kind) }
  kinds = {
    plan    = ["secrets", "reading"]
    publish = ["secrets", "publishing"]
    apply   = ["secrets", "reading", "state", "roles", "named", "network", "unnamed"]
  }

  no_secret = [{
    Sid    = "NoValueOfASecret"
    Effect = "Deny"
    Action = [
      "secretsmanager:BatchGetSecretValue", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue",
      "ssm:GetParameter", "ssm:GetParameterHistory", "ssm:GetParameters", "ssm:GetParametersByPath", "ssm:PutParameter",
    ]
    # A refusal, wherever the secret is.
    Resource = ["*"]
  }]
}

resource "aws_iam_role" "this" {
  name                 = local.role_name
  description          = { plan = "GitHub plans: reads, changes nothing", publish = "GitHub publishes releases", apply = "GitHub deploys ${local.prefix}" }[var.access]
  max_session_duration = 3600
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = var.oidc_provider_arn }
      Condition = {
        StringEquals = {
          "${local.provider}:aud" = "sts.amazonaws.com"
          "${local.provider}:sub" = var.subjects
        }
      }
    }]
  })
}

# Policies of their own, not one: IAM takes 6144 characters in each.
resource "aws_iam_policy" "this" {
  for_each = local.policies

  name        = "${local.role_name}-${each.key}"
  description = "${local.role_name}: ${each.key}"
  policy      = jsonencode({ Version = "2012-10-17", Statement = jsondecode(each.value) })
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = local.policies

  role       = aws_iam_role.this.name
  policy_arn = aws_iam_policy.this[each.key].arn
}
