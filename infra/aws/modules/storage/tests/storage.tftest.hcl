mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  prefix = "orders-test"
}

run "the_bucket_is_private_versioned_and_encrypted" {
  command = plan

  assert {
    condition     = aws_s3_bucket.this.bucket == "orders-test-files-123456789012" && !aws_s3_bucket.this.force_destroy
    error_message = "named after the environment and the account; books are not thrown away"
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls, aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls, aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "nobody can make it public"
  }

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "what is overwritten can be had back"
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "encrypted by S3's own keys"
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_s3_bucket_policy.this.policy).Statement : statement.Effect == "Deny"])
    error_message = "the policy gives nothing, it only refuses"
  }

  assert {
    condition     = anytrue([for statement in jsondecode(aws_s3_bucket_policy.this.policy).Statement : try(statement.Condition.Bool["aws:SecureTransport"], "") == "false"])
    error_message = "it refuses what is not encrypted under way"
  }

  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule :
      contains(["lake/runs/", "lake/read/", "lake/lasting/", "lake/reading/"], one(rule.filter).prefix) if length(rule.expiration) > 0
    ])
    error_message = "books do not expire: what runs were gathered with does, and nothing else"
  }

  assert {
    condition     = one(aws_s3_bucket_lifecycle_configuration.this.rule[0].abort_incomplete_multipart_upload).days_after_initiation == 7
    error_message = "parts that were sent in vain go"
  }
}

run "what_runs_were_gathered_with_goes_after_its_time" {
  command = plan

  assert {
    condition = {
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule : one(rule.filter).prefix => one(rule.expiration).days
      if length(rule.expiration) > 0
    } == { "lake/lasting/" = 400, "lake/read/" = 400, "lake/reading/" = 7, "lake/runs/" = 400 }
    error_message = "by prefix, and after how many days"
  }
}

run "runs_may_be_kept_for_good" {
  command = plan
  variables {
    run_retention_days = 0
  }

  assert {
    condition     = length([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule if length(rule.expiration) > 0]) == 1
    error_message = "only reads that broke off go"
  }
}

run "refuses_to_forget_a_month_before_it_is_closed" {
  command = plan
  variables {
    run_retention_days = 30
  }
  expect_failures = [var.run_retention_days]
}

run "with_a_key_of_its_own" {
  command = plan

  variables {
    kms_key_arn   = "arn:aws:kms:eu-west-1:123456789012:key/1"
    force_destroy = true
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).kms_master_key_id == "arn:aws:kms:eu-west-1:123456789012:key/1"
    error_message = "the key that was given"
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule).bucket_key_enabled && aws_s3_bucket.this.force_destroy
    error_message = "KMS is asked once for many objects"
  }
}

run "refuses_a_transition_that_s3_does_not_know" {
  command = plan
  variables {
    infrequent_access_after_days = 7
  }
  expect_failures = [var.infrequent_access_after_days]
}

run "refuses_to_keep_versions_for_no_time" {
  command = plan
  variables {
    noncurrent_retention_days = 0
  }
  expect_failures = [var.noncurrent_retention_days]
}
