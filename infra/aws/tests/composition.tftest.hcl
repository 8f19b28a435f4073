# How the parts are put together. What a part makes of it is tested in its module; the examples test their own plans.

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

run "by_default_it_is_secure" {
  command = plan

  assert {
    condition     = length(aws_kms_key.this) == 1 && aws_kms_key.this[0].enable_key_rotation
    error_message = "a key of its own, turned over"
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_kms_key.this[0].policy).Statement : can(statement.Condition) || statement.Sid == "TheAccountDecides"])
    error_message = "services use the key on behalf of this account only"
  }

  assert {
    condition     = !output.assign_public_ip && var.deletion_protection && var.customer_managed_key
    error_message = "tasks are not on the internet, nothing is deleted by accident"
  }

  assert {
    condition     = output.secret_names != null && length(aws_security_group.functions) == 0
    error_message = "functions are in no VPC"
  }

  assert {
    condition     = length(local.function_secrets["webhooks"]) == 3 && length(local.function_secrets["api"]) == 3
    error_message = "a function reads the secrets of what it serves, Temporal's, and the keys of payloads"
  }

  assert {
    condition     = toset(keys(local.worker_secrets)) == setunion(var.worker_secret_keys, ["ORDERS_TEMPORAL__API_KEY", "ORDERS_ENCRYPTION__KEYS", "ORDERS_DATABASE__URL"])
    error_message = "the worker is given its five, Temporal's key, the keys of payloads and its database"
  }
}

run "a_worker_says_nothing_of_its_release_unless_asked" {
  command = plan

  assert {
    condition     = length(local.release_environment) == 0
    error_message = "versions are a switch, and off"
  }
}

run "with_versions_a_worker_announces_its_release" {
  command = plan

  variables {
    worker_versions_enabled = true
  }

  assert {
    condition     = local.release_environment == tomap({ ORDERS_WORKER__RELEASE = "2026.7.1" })
    error_message = "the release that is applied is the version"
  }
}

run "temporal_by_certificate" {
  command = plan

  variables {
    temporal = { address = "temporal.example.com:7233", namespace = "orders", auth = "mtls", server_name = "frontend" }
  }

  assert {
    condition     = toset(local.temporal_and_payloads["temporal"]) == toset(["ORDERS_TEMPORAL__CLIENT_CERT", "ORDERS_TEMPORAL__CLIENT_KEY"])
    error_message = "certificate and key"
  }

  assert {
    condition     = jsonencode(local.temporal_environment) == jsonencode({ ORDERS_TEMPORAL__ADDRESS = "temporal.example.com:7233", ORDERS_TEMPORAL__NAMESPACE = "orders", ORDERS_TEMPORAL__SERVER_NAME = "frontend", ORDERS_TEMPORAL__TLS = "true" })
    error_message = "TLS, with the name that the certificate has"
  }
}

run "temporal_without_anything" {
  command = plan

  variables {
    temporal = { address = "127.0.0.1:7233", namespace = "default", auth = "none" }
  }

  assert {
    condition     = !contains(keys(local.temporal_and_payloads), "temporal") && local.temporal_environment["ORDERS_TEMPORAL__TLS"] == "false"
    error_message = "no secret that might be empty"
  }

  assert {
    condition     = length(local.function_secrets["webhooks"]) == 2 && !contains(keys(local.encryption_environment), "ORDERS_ENCRYPTION__ENABLED")
    error_message = "a function that reads an empty container would not start"
  }
}

run "payloads_in_clear" {
  command = plan

  variables {
    temporal                   = { address = "127.0.0.1:7233", namespace = "default", auth = "none" }
    payload_encryption_enabled = false
  }

  assert {
    condition     = length(local.temporal_and_payloads) == 0 && length(local.function_secrets["webhooks"]) == 1
    error_message = "nothing reads a container that may be empty"
  }

  assert {
    condition     = local.encryption_environment["ORDERS_ENCRYPTION__ENABLED"] == "false"
    error_message = "it is said, or nothing would start"
  }
}

run "temporal_within_the_vpc" {
  command = plan

  variables {
    temporal = { address = "temporal.internal:7233", namespace = "orders", auth = "none", tls = true, private = true }
  }

  assert {
    condition     = length(aws_security_group.functions) == 1 && toset([for rule in aws_vpc_security_group_egress_rule.functions : rule.from_port]) == toset([443, 7233])
    error_message = "functions join the VPC, and call out only"
  }
}

run "a_registry_elsewhere_and_a_mail_relay" {
  command = plan

  variables {
    worker_repository_url = "ghcr.io/example/orders-worker"
    worker_settings       = { ORDERS_MAIL__PORT = "587", ORDERS_SHOP__NAME = "second" }
  }

  assert {
    condition     = local.ecr == null && local.mail_port == "587"
    error_message = "no right to pull where none is needed; a port for mail"
  }
}

run "everything_smallest" {
  command = plan

  variables {
    network              = { zone_count = 1, egress = "public_ip", flow_logs_enabled = false }
    database             = { engine = "mariadb", multi_zone = false, final_snapshot_enabled = false }
    customer_managed_key = false
    deletion_protection  = false
    log_retention_days   = 7
  }

  assert {
    condition     = length(aws_kms_key.this) == 0 && length(aws_kms_alias.this) == 0 && output.assign_public_ip
    error_message = "AWS's own keys, addresses for the tasks"
  }
}

run "everything_switched_on" {
  command = plan

  variables {
    network                    = { zone_count = 3, egress = "nat_per_zone", interface_endpoints_enabled = true }
    database                   = { min_capacity_acu = 0, max_capacity_acu = 16, detailed_monitoring_enabled = true, snapshot_identifier = "orders-test-1" }
    worker_groups              = { fast = { queues = ["orders", "events", "users", "outbound"], cpu = 1024, memory_mb = 2048, min_tasks = 2, max_tasks = 10, spot = true }, books = { queues = ["reconciliation"], cpu = 256, memory_mb = 512, min_tasks = 1, max_tasks = 2 } }
    functions                  = { api = { serves = ["orders", "users", "reconciliations", "health", "description"], snap_start = true, reserved_concurrency = 50 }, webhooks = { serves = ["webhooks"], provisioned_concurrency = 2, reserved_concurrency = 100 } }
    operator_auth              = { type = "jwt", issuer = "https://login.example.com/", audience = ["orders"] }
    throttling                 = { routes = { "POST /webhooks/{source}" = { rate_per_second = 500, burst = 1000 } } }
    custom_domain              = { name = "api.example.com", zone_id = "Z0123456789ABCDEFGHIJ" }
    alarm_email                = "on-call@example.com"
    container_insights_enabled = true
    functions_settings         = { ORDERS_API__DEADLINE_MS = "2000" }
  }

  assert {
    condition     = output.url == "https://api.example.com" && length(output.service_names) == 2
    error_message = "all switches at once"
  }
}

run "a_network_that_is_there" {
  command = plan

  variables {
    network = { mode = "existing", vpc_id = "vpc-1", private_subnet_ids = ["subnet-1"], database_subnet_ids = ["subnet-2", "subnet-3"] }
  }

  assert {
    condition     = output.vpc_id == "vpc-1" && output.task_subnet_ids == tolist(["subnet-1"])
    error_message = "what was given is what is used"
  }
}

run "a_release_for_another_processor" {
  command = plan

  override_data {
    target = data.aws_s3_object.functions
    values = { checksum_sha256 = "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=", metadata = { architecture = "x86_64", runtime = "python3.12" } }
  }

  assert {
    condition     = local.artifact.architecture == "x86_64" && local.artifact.runtime == "python3.12"
    error_message = "what runs is what was built"
  }
}

run "nothing_sleeps_unasked" {
  command = plan

  assert {
    condition     = length(module.waker) == 0 && output.waker_function_name == null && output.dashboard_url != null && length(local.waits_for_database) == 0
    error_message = "production is awake, and watched"
  }
}

run "worker_and_database_sleep" {
  command = plan

  variables {
    sleep    = { after_minutes = 15 }
    database = { min_capacity_acu = 0, max_capacity_acu = 1, multi_zone = false }
    watching = { alarms = "none", dashboard_enabled = false }
  }

  assert {
    condition     = output.alarm_topic_arn == null
    error_message = "nobody reads alarms, so there are none"
  }

  assert {
    condition     = output.waker_function_name == "orders-test-waker" && output.log_group_names["waker"] == "/aws/lambda/orders-test-waker" && output.dashboard_url == null
    error_message = "somebody wakes it"
  }

  assert {
    condition     = local.waits_for_database["ORDERS_DATABASE__CONNECT_TIMEOUT_SECONDS"] == "60" && local.waits_for_database["ORDERS_DATABASE__READ_TIMEOUT_SECONDS"] == "60"
    error_message = "who wakes a database waits for it"
  }
}

run "a_waker_joins_the_vpc_of_a_private_temporal" {
  command = plan

  variables {
    sleep    = { after_minutes = 15 }
    temporal = { address = "temporal.internal:7233", namespace = "orders", auth = "none", private = true }
  }

  assert {
    condition     = output.waker_function_name == "orders-test-waker" && length(local.every_function.vpc.security_group_ids) == 1 && length(local.every_function.vpc.subnet_ids) == 2
    error_message = "as every function does, it joins the private subnets"
  }
}

run "secrets_that_cost_nothing" {
  command = plan

  variables {
    secret_store = "parameter_store"
  }

  assert {
    condition     = length(data.aws_secretsmanager_secret.these) == 0 && local.secret_arns["worker"] == "arn:aws:ssm:eu-west-1:123456789012:parameter/${var.name}/${var.environment}/worker" && contains(output.secret_names, "/${var.name}/${var.environment}/worker")
    error_message = "parameters by their names: nothing looks at one, as that would read its value"
  }

  assert {
    condition     = tolist(local.secret_kms_key_arns) == tolist([data.aws_kms_alias.secrets[0].target_key_arn]) && data.aws_kms_alias.secrets[0].name == "alias/${var.name}-bootstrap"
    error_message = "under the bootstrap's key"
  }

  assert {
    condition     = length(local.function_secrets["webhooks"]) == 3 && alltrue(flatten([for arns in values(local.function_secrets) : [for arn in arns : startswith(arn, local.parameters)]]))
    error_message = "a function reads its own parameters, and no other's"
  }

  assert {
    condition     = toset(flatten([for each in values(local.worker_parameters) : each.keys])) == toset(keys(local.worker_secrets)) && toset(keys(local.deploy_parameters)) == toset(["encryption", "temporal"])
    error_message = "the worker has the same variables from either store"
  }
}
