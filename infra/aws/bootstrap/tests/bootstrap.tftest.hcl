mock_provider "aws" {
  source          = "../tests/mocks"
  override_during = plan
}

variables {
  region            = "eu-west-1"
  github_repository = "acme/orders"
}

run "by_default" {
  command = plan

  assert {
    condition     = aws_s3_bucket.this["state"].bucket == "orders-state-123456789012" && aws_s3_bucket.this["artifacts"].bucket == "orders-artifacts-123456789012" && alltrue([for each in aws_s3_bucket.this : !each.force_destroy])
    error_message = "two buckets, which are not thrown away"
  }

  assert {
    condition     = alltrue([for each in aws_s3_bucket_versioning.this : each.versioning_configuration[0].status == "Enabled"])
    error_message = "what is overwritten can be had back"
  }

  assert {
    condition     = alltrue([for each in aws_s3_bucket_server_side_encryption_configuration.this : one(one(each.rule).apply_server_side_encryption_by_default).sse_algorithm == "aws:kms"])
    error_message = "under our key"
  }

  assert {
    condition     = alltrue([for each in aws_s3_bucket_public_access_block.this : each.block_public_acls && each.block_public_policy && each.ignore_public_acls && each.restrict_public_buckets])
    error_message = "nobody can make them public"
  }

  assert {
    condition     = [for each in jsondecode(aws_s3_bucket_policy.this["state"].policy).Statement : each.Sid] == ["OnlyTls", "VersionsStay", "ObjectsStay"]
    error_message = "states are read over TLS, and stay"
  }

  assert {
    condition     = [for each in jsondecode(aws_s3_bucket_policy.this["artifacts"].policy).Statement : each.Sid] == ["OnlyTls", "VersionsStay", "ObjectsStay", "ReleasesAreNotOverwritten"]
    error_message = "a release is never another thing tomorrow"
  }

  assert {
    condition     = alltrue(flatten([for policy in aws_s3_bucket_policy.this : [for each in jsondecode(policy.policy).Statement : each.Effect == "Deny"]]))
    error_message = "the buckets' policies give nothing"
  }

  assert {
    condition     = toset(keys(output.secret_arns)) == toset(["dev", "prod"]) && alltrue([for each in output.secret_arns : length(each) == 6])
    error_message = "six secrets for each environment"
  }

  assert {
    condition     = alltrue([for arn in values(output.secret_arns["dev"]) : strcontains(arn, ":ssm:")]) && alltrue([for arn in values(output.secret_arns["prod"]) : strcontains(arn, ":secretsmanager:")])
    error_message = "those of dev cost nothing"
  }

  assert {
    condition     = output.plan_role_arn != null && output.publish_role_arn != null && toset(keys(output.apply_role_arns)) == toset(["dev", "prod"]) && toset(keys(output.boundary_arns)) == toset(["dev", "prod"])
    error_message = "roles to plan, to publish and to apply"
  }

  assert {
    condition     = aws_iam_openid_connect_provider.github[0].url == "https://token.actions.githubusercontent.com" && aws_iam_openid_connect_provider.github[0].client_id_list == toset(["sts.amazonaws.com"])
    error_message = "GitHub's tokens that are made for AWS"
  }

  assert {
    condition     = strcontains(output.backend_config, "bucket = \"orders-state-123456789012\"") && strcontains(output.backend_config, "kms_key_id = ")
    error_message = "what an environment's init needs"
  }

  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_alias.this.name == "alias/orders-bootstrap"
    error_message = "a key that is turned over"
  }

  assert {
    condition     = output.artifact_bucket == "orders-artifacts-123456789012" && output.state_bucket == "orders-state-123456789012" && output.worker_repository_url != "" && output.functions_repository_url != ""
    error_message = "what the environments and `make publish` ask for"
  }
}

run "without_github" {
  command = plan

  variables {
    github_repository = null
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0 && output.plan_role_arn == null && output.publish_role_arn == null && length(output.apply_role_arns) == 0 && length(output.boundary_arns) == 0
    error_message = "nobody from outside"
  }
}

run "with_a_provider_and_subjects_of_ones_own" {
  command = plan

  variables {
    environments        = ["dev"]
    github_provider_arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
    github_subjects     = { dev = ["repo:acme@1/orders@2:environment:dev"] }
    zone_ids            = ["Z1"]
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0 && length(output.apply_role_arns) == 1
    error_message = "an account has one provider"
  }
}

run "to_be_destroyed" {
  command = plan

  variables {
    force_destroy               = true
    secret_recovery_window_days = 0
  }

  assert {
    condition     = alltrue([for each in aws_s3_bucket.this : each.force_destroy]) && !anytrue(flatten([for policy in aws_s3_bucket_policy.this : [for each in jsondecode(policy.policy).Statement : contains(["VersionsStay", "ObjectsStay"], each.Sid)]]))
    error_message = "what was kept may go"
  }
}

run "refuses_names_of_other_things" {
  command = plan
  variables {
    environments = ["plan"]
  }
  expect_failures = [var.environments]
}

run "refuses_an_environment_that_could_be_mistaken" {
  command = plan
  variables {
    environments = ["dev-2"]
  }
  expect_failures = [var.environments]
}

run "refuses_subjects_for_what_there_is_not" {
  command = plan
  variables {
    github_subjects = { staging = ["repo:acme/orders:environment:staging"] }
  }
  expect_failures = [var.github_subjects]
}

run "refuses_a_repository_that_is_a_url" {
  command = plan
  variables {
    github_repository = "https://github.com/acme/orders"
  }
  expect_failures = [var.github_repository]
}

run "refuses_a_name_that_no_bucket_could_have" {
  command = plan
  variables {
    name                        = "Orders_2"
    secret_recovery_window_days = 3
  }
  expect_failures = [var.name, var.secret_recovery_window_days]
}

run "refuses_a_store_that_is_none" {
  command = plan

  variables {
    secret_stores = { dev = "file" }
  }

  expect_failures = [var.secret_stores]
}
