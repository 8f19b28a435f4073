mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  path = "orders/test"
}

run "five_empty_containers" {
  command = plan

  assert {
    condition     = toset([for secret in aws_secretsmanager_secret.this : secret.name]) == toset(["orders/test/api", "orders/test/database", "orders/test/encryption", "orders/test/temporal", "orders/test/webhooks", "orders/test/worker"])
    error_message = "named after the environment"
  }

  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.this : secret.recovery_window_in_days == 7 && secret.kms_key_id == null && length(secret.description) > 10])
    error_message = "what is deleted by mistake can be had back"
  }

  assert {
    condition     = toset(keys(output.secret_arns)) == toset(["api", "database", "encryption", "temporal", "webhooks", "worker"])
    error_message = "found by their short names"
  }
}

run "others_under_a_key" {
  command = plan

  variables {
    containers           = { pager = "The key of the pager" }
    kms_key_arn          = "arn:aws:kms:eu-west-1:123456789012:key/1"
    recovery_window_days = 0
  }

  assert {
    condition     = aws_secretsmanager_secret.this["pager"].kms_key_id == var.kms_key_arn && aws_secretsmanager_secret.this["pager"].recovery_window_in_days == 0 && length(aws_secretsmanager_secret.this) == 1
    error_message = "what was given"
  }
}

run "parameters_that_cost_nothing" {
  command = plan

  variables {
    store       = "parameter_store"
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1"
  }

  assert {
    condition     = toset([for each in aws_ssm_parameter.this : each.name]) == toset(["/orders/test/api", "/orders/test/database", "/orders/test/encryption", "/orders/test/temporal", "/orders/test/webhooks", "/orders/test/worker"]) && length(aws_secretsmanager_secret.this) == 0
    error_message = "the same six, each a parameter"
  }

  assert {
    condition     = alltrue([for each in aws_ssm_parameter.this : each.type == "SecureString" && each.tier == "Standard" && each.key_id == var.kms_key_arn && each.value_wo_version == 1])
    error_message = "encrypted under the key, free of charge, written once"
  }

  assert {
    condition     = toset(keys(output.secret_arns)) == toset(["api", "database", "encryption", "temporal", "webhooks", "worker"])
    error_message = "found by their short names"
  }
}

run "refuses_a_store_that_is_none" {
  command = plan
  variables {
    store = "file"
  }
  expect_failures = [var.store]
}

run "refuses_a_path_that_is_none" {
  command = plan
  variables {
    path = "orders"
  }
  expect_failures = [var.path]
}

run "refuses_a_window_that_aws_does_not_have" {
  command = plan
  variables {
    recovery_window_days = 3
  }
  expect_failures = [var.recovery_window_days]
}

run "refuses_a_name_that_is_a_path" {
  command = plan
  variables {
    containers = { "a/b" = "A name with a slash" }
  }
  expect_failures = [var.containers]
}
