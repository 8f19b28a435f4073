mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  release               = "2026.7.1"
  artifact_bucket       = "orders-artifacts-123456789012"
  worker_repository_url = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders/worker"
  temporal              = { address = "orders-dev.a1b2c.tmprl.cloud:7233", namespace = "orders-dev.a1b2c", auth = "api_key" }
  worker_settings       = { ORDERS_MAIL__PORT = "587" }
}

run "what_the_example_plans" {
  command = plan

  assert {
    condition     = output.release == "2026.7.1" && output.service_names.all == "orders-dev-all"
    error_message = "one service that does everything"
  }

  assert {
    condition     = length(output.task_subnet_ids) == 1 && output.bucket_name == "orders-dev-files-123456789012" && output.database_identifier == "orders-dev"
    error_message = "one zone, and names that begin with the environment"
  }

  assert {
    condition     = toset(keys(output.log_group_names)) == toset(["worker", "deploy", "gateway", "function-api", "function-webhooks", "waker"])
    error_message = "two functions, a gateway, a worker and who wakes it"
  }

  assert {
    condition     = output.alarm_topic_arn == null
    error_message = "no address, no alarms"
  }
}

run "alarms_are_for_who_reads_them" {
  command = plan

  variables {
    alarm_email = "me@example.com"
  }

  assert {
    condition     = output.alarm_topic_arn != null
    error_message = "an address has alarms"
  }
}

run "a_dev_server_will_do" {
  command = plan

  variables {
    temporal = { address = "127.0.0.1:7233", namespace = "default", auth = "none" }
  }

  assert {
    condition     = output.webhook_url == "${output.url}/webhooks/{source}"
    error_message = "senders deliver below the address of the API"
  }
}
