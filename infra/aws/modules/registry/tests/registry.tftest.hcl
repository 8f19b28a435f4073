mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  name = "orders"
}

run "tags_are_for_ever_and_images_are_scanned" {
  command = plan

  assert {
    condition     = toset([for each in aws_ecr_repository.this : each.name]) == toset(["orders/functions", "orders/worker"])
    error_message = "one repository for each image"
  }

  assert {
    condition     = alltrue([for each in aws_ecr_repository.this : each.image_tag_mutability == "IMMUTABLE" && each.image_scanning_configuration[0].scan_on_push && !each.force_delete && each.encryption_configuration[0].encryption_type == "AES256"])
    error_message = "a tag is one image, looked through when it arrives, not thrown away with the repository"
  }

  assert {
    condition     = alltrue([for each in aws_ecr_lifecycle_policy.this : [for rule in jsondecode(each.policy).rules : rule.selection.countNumber] == [7, 50]])
    error_message = "leftovers go after a week, and the newest 50 releases stay"
  }
}

run "with_a_key" {
  command = plan

  variables {
    repositories  = ["worker"]
    kms_key_arn   = "arn:aws:kms:eu-west-1:123456789012:key/1"
    force_destroy = true
    kept_releases = 10
  }

  assert {
    condition     = aws_ecr_repository.this["worker"].encryption_configuration[0].encryption_type == "KMS" && aws_ecr_repository.this["worker"].encryption_configuration[0].kms_key == var.kms_key_arn && aws_ecr_repository.this["worker"].force_delete
    error_message = "what was asked for"
  }

  assert {
    condition     = length(aws_ecr_repository.this) == 1 && jsondecode(aws_ecr_lifecycle_policy.this["worker"].policy).rules[1].selection.countNumber == 10
    error_message = "one repository, ten releases"
  }
}

run "refuses_to_keep_too_few_to_roll_back" {
  command = plan
  variables {
    kept_releases = 1
  }
  expect_failures = [var.kept_releases]
}

run "refuses_names_that_ecr_would_not_take" {
  command = plan
  variables {
    name         = "Orders"
    repositories = ["a_B"]
  }
  expect_failures = [var.name, var.repositories]
}
