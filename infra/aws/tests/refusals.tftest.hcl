# Every rule of the variables refuses what it should.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  environment           = "test"
  release               = "2026.7.1"
  artifact_bucket       = "orders-artifacts-123456789012"
  worker_repository_url = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders/worker"
  temporal              = { address = "orders.a1b2c.tmprl.cloud:7233", namespace = "orders.a1b2c", auth = "api_key" }
}

run "refuses_a_name_with_capitals" {
  command = plan

  variables {
    name = "Orders"
  }

  expect_failures = [var.name]
}

run "refuses_an_environment_that_is_too_long" {
  command = plan

  variables {
    environment = "productionenv"
  }

  expect_failures = [var.environment]
}

run "refuses_a_release_that_changes" {
  command = plan

  variables {
    release = "latest"
  }

  expect_failures = [var.release]
}

run "refuses_a_release_that_is_a_path" {
  command = plan

  variables {
    release = "../r1"
  }

  expect_failures = [var.release]
}

run "refuses_what_is_no_bucket" {
  command = plan

  variables {
    artifact_bucket = "s3://orders"
  }

  expect_failures = [var.artifact_bucket]
}

run "refuses_a_registry_with_a_tag" {
  command = plan

  variables {
    worker_repository_url = "example.com/worker:1"
  }

  expect_failures = [var.worker_repository_url]
}

run "refuses_an_address_with_a_scheme" {
  command = plan

  variables {
    temporal = { address = "https://temporal.example.com", namespace = "orders", auth = "none" }
  }

  expect_failures = [var.temporal]
}

run "refuses_no_namespace" {
  command = plan

  variables {
    temporal = { address = "127.0.0.1:7233", namespace = "", auth = "none" }
  }

  expect_failures = [var.temporal]
}

run "refuses_an_unknown_way_to_sign_in" {
  command = plan

  variables {
    temporal = { address = "127.0.0.1:7233", namespace = "orders", auth = "password" }
  }

  expect_failures = [var.temporal]
}

run "refuses_a_key_in_the_clear" {
  command = plan

  variables {
    temporal = { address = "127.0.0.1:7233", namespace = "orders", auth = "api_key", tls = false }
  }

  expect_failures = [var.temporal]
}

run "refuses_a_private_temporal_without_nat" {
  command = plan

  variables {
    temporal = { address = "t.internal:7233", namespace = "orders", auth = "none", private = true }
    network  = { egress = "public_ip" }
  }

  expect_failures = [var.network]
}

run "refuses_a_queue_that_nobody_polls" {
  command = plan

  variables {
    worker_groups = { all = { queues = ["orders", "events"], cpu = 512, memory_mb = 1024, min_tasks = 1, max_tasks = 1 } }
  }

  expect_failures = [var.worker_groups]
}

run "refuses_a_queue_that_is_none" {
  command = plan

  variables {
    worker_groups = { all = { queues = ["orders", "events", "users", "outbound", "reconciliation", "more"], cpu = 512, memory_mb = 1024, min_tasks = 1, max_tasks = 1 } }
  }

  expect_failures = [var.worker_groups]
}

run "refuses_a_setting_of_something_else" {
  command = plan

  variables {
    worker_settings = { PATH = "/tmp" }
  }

  expect_failures = [var.worker_settings]
}

run "refuses_a_secret_among_the_settings" {
  command = plan

  variables {
    worker_settings = { ORDERS_PROVIDER__API_KEY = "sk" }
  }

  expect_failures = [var.worker_settings]
}

run "refuses_a_password_in_an_address" {
  command = plan

  variables {
    worker_settings = { ORDERS_SHOP__API_BASE = "https://user:word@example.com" }
  }

  expect_failures = [var.worker_settings]
}

run "refuses_a_setting_that_another_variable_decides" {
  command = plan

  variables {
    worker_settings = { ORDERS_TEMPORAL__ADDRESS = "127.0.0.1:7233" }
  }

  expect_failures = [var.worker_settings]
}

run "refuses_a_secret_key_twice" {
  command = plan

  variables {
    worker_secret_keys = ["ORDERS_SHOP__ACCESS_TOKEN", "ORDERS_SHOP__ACCESS_TOKEN"]
  }

  expect_failures = [var.worker_secret_keys]
}

run "refuses_two_functions_that_serve_the_same" {
  command = plan

  variables {
    functions = { one = { serves = ["orders", "users", "reconciliations", "health", "description", "webhooks"] }, two = { serves = ["webhooks"] } }
  }

  expect_failures = [var.functions]
}

run "refuses_a_function_whose_name_is_none" {
  command = plan

  variables {
    functions = { "API 1" = { serves = ["orders", "users", "reconciliations", "health", "description", "webhooks"] } }
  }

  expect_failures = [var.functions]
}

run "refuses_a_setting_of_the_functions_that_is_none" {
  command = plan

  variables {
    functions_settings = { DEBUG = "1" }
  }

  expect_failures = [var.functions_settings]
}

run "refuses_a_secret_among_the_settings_of_the_functions" {
  command = plan

  variables {
    functions_settings = { ORDERS_API__KEYS = "{}" }
  }

  expect_failures = [var.functions_settings]
}

run "refuses_a_setting_of_the_functions_that_another_variable_decides" {
  command = plan

  variables {
    functions_settings = { ORDERS_API__OPERATOR_AUTH = "bearer" }
  }

  expect_failures = [var.functions_settings]
}

run "refuses_operators_by_nothing" {
  command = plan

  variables {
    operator_auth = { type = "none" }
  }

  expect_failures = [var.operator_auth]
}

run "refuses_operators_of_no_issuer" {
  command = plan

  variables {
    operator_auth = { type = "jwt" }
  }

  expect_failures = [var.operator_auth]
}

run "refuses_no_requests_at_all" {
  command = plan

  variables {
    throttling = { rate_per_second = 0 }
  }

  expect_failures = [var.throttling]
}

run "refuses_logs_for_a_time_that_cloudwatch_lacks" {
  command = plan

  variables {
    log_retention_days = 8
  }

  expect_failures = [var.log_retention_days]
}

run "refuses_to_sleep_at_once" {
  command = plan

  variables {
    sleep = { after_minutes = 1 }
  }

  expect_failures = [var.sleep]
}

run "refuses_alarms_that_there_are_not" {
  command = plan

  variables {
    watching = { alarms = "few" }
  }

  expect_failures = [var.watching]
}

run "refuses_a_store_of_secrets_that_is_none" {
  command = plan

  variables {
    secret_store = "file"
  }

  expect_failures = [var.secret_store]
}
