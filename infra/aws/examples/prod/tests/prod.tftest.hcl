mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  release               = "2026.7.1"
  artifact_bucket       = "orders-artifacts-123456789012"
  worker_repository_url = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders/worker"
  temporal              = { address = "orders-prod.a1b2c.tmprl.cloud:7233", namespace = "orders-prod.a1b2c", auth = "mtls" }
  worker_settings       = { ORDERS_MAIL__PORT = "587" }
  alarm_email           = "on-call@example.com"
}

run "what_the_example_plans" {
  command = plan

  assert {
    condition     = output.service_names.orders == "orders-prod-orders" && output.service_names.reconciliation == "orders-prod-reconciliation"
    error_message = "two services, so that books do not stand in the way of orders"
  }

  assert {
    condition     = length(output.task_subnet_ids) == 2
    error_message = "two zones"
  }
}

run "with_a_name_of_its_own_operators_of_an_issuer_and_a_restored_database" {
  command = plan

  variables {
    custom_domain       = { name = "api.example.com", zone_id = "Z0123456789ABCDEFGHIJ" }
    operator_auth       = { type = "jwt", issuer = "https://login.example.com/", audience = ["orders"] }
    snapshot_identifier = "orders-prod-2026-11-01"
    deletion_protection = false
  }

  assert {
    condition     = output.url == "https://api.example.com"
    error_message = "its own name"
  }
}
