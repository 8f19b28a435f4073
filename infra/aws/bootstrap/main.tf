# What must be there before an environment can be made: where its state is kept, where releases are published, and the
# containers of its secrets, which hold their values before the first apply starts what reads them. A state of its own.

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Project     = var.name
      Environment = "bootstrap"
      ManagedBy   = "terraform"
    }
  }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
}

resource "aws_kms_key" "this" {
  description             = "${var.name}: Terraform states, releases and secrets"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      # The account decides, by the policies of its roles, who uses the key: KMS's own default.
      Sid       = "TheAccountDecides"
      Effect    = "Allow"
      Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
      Action    = "kms:*" # on this key
      Resource  = "*"     # which is the key the policy belongs to
    }]
  })
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}-bootstrap"
  target_key_id = aws_kms_key.this.key_id
}

module "registry" {
  source = "../modules/registry"

  name          = var.name
  kept_releases = var.kept_releases
  force_destroy = var.force_destroy
  kms_key_arn   = aws_kms_key.this.arn
}

module "secrets" {
  source   = "../modules/secrets"
  for_each = var.environments

  path                 = "${var.name}/${each.key}"
  store                = lookup(var.secret_stores, each.key, "secrets_manager")
  kms_key_arn          = aws_kms_key.this.arn
  recovery_window_days = var.secret_recovery_window_days
}
