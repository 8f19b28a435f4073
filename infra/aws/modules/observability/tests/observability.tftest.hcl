mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  prefix            = "orders-test"
  api_id            = "abc"
  function_names    = { api = "orders-test-api", webhooks = "orders-test-webhooks" }
  cluster_name      = "orders-test"
  services          = { all = { name = "orders-test-all", arn = "arn:aws:ecs:eu-west-1:123456789012:service/orders-test/orders-test-all", min_tasks = 2 } }
  queues            = ["orders", "events", "users", "outbound", "reconciliation"]
  metrics_namespace = "orders-test"
  database          = { engine = "aurora-mysql", identifier = "orders-test", max_capacity_acu = 4, storage_gb = 20 }
}

run "what_matters_pages" {
  command = plan

  assert {
    condition = length(setsubtract([
      "orders-test-api-5xx", "orders-test-api-slow", "orders-test-function-api-errors", "orders-test-function-webhooks-throttles",
      "orders-test-backlog-orders", "orders-test-backlog-reconciliation", "orders-test-schedules-missed", "orders-test-runs-failed",
      "orders-test-dead-letters", "orders-test-dead-webhooks", "orders-test-breaks-at-risk-main", "orders-test-database-cpu", "orders-test-database-connections",
      "orders-test-database-capacity", "orders-test-tasks-all",
    ], output.alarm_names)) == 0
    error_message = "an alarm is missing"
  }

  assert {
    condition     = alltrue([for alarm in concat(values(aws_cloudwatch_metric_alarm.above), values(aws_cloudwatch_metric_alarm.tasks)) : alarm.alarm_actions == toset([aws_sns_topic.this[0].arn]) && alarm.ok_actions == toset([aws_sns_topic.this[0].arn])])
    error_message = "an alarm tells nobody"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.above["schedules-missed"].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.tasks["all"].treat_missing_data == "breaching"
    error_message = "silence is an outage where something should always report"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.tasks["all"].threshold == 2 && aws_cloudwatch_metric_alarm.tasks["all"].statistic == "SampleCount"
    error_message = "fewer tasks than the least number"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.above["api-slow"].extended_statistic == "p95" && aws_cloudwatch_metric_alarm.above["api-slow"].statistic == null
    error_message = "a percentile is an extended statistic"
  }
}

run "a_deployment_that_fails_is_told_of" {
  command = plan

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.deploy_failed[0].event_pattern).detail.eventName == ["SERVICE_DEPLOYMENT_FAILED"] && jsondecode(aws_cloudwatch_event_rule.deploy_failed[0].event_pattern).resources == ["arn:aws:ecs:eu-west-1:123456789012:service/orders-test/orders-test-all"]
    error_message = "of these services"
  }

  assert {
    condition     = toset([for statement in jsondecode(aws_sns_topic_policy.this[0].policy).Statement : statement.Principal.Service if statement.Effect == "Allow"]) == toset(["cloudwatch.amazonaws.com", "events.amazonaws.com"])
    error_message = "alarms and the rule may publish, nobody else"
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_sns_topic_policy.this[0].policy).Statement : can(statement.Condition) || try(statement.Principal.Service, "") == "events.amazonaws.com"])
    error_message = "not those of another account; EventBridge alone knows no condition here"
  }
}

run "nobody_is_written_to_unless_asked" {
  command = plan

  assert {
    condition     = length(aws_sns_topic_subscription.email) == 0
    error_message = "no address, no subscription"
  }
}

run "an_address_is_written_to_and_a_key_is_used" {
  command = plan

  variables {
    alarm_email = "on-call@example.com"
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1"
  }

  assert {
    condition     = aws_sns_topic_subscription.email[0].endpoint == "on-call@example.com" && aws_sns_topic.this[0].kms_master_key_id == "arn:aws:kms:eu-west-1:123456789012:key/1"
    error_message = "subscribed, encrypted"
  }
}

run "mariadb_has_a_disk_instead_of_capacity" {
  command = plan

  variables {
    database = { engine = "mariadb", identifier = "orders-test", max_capacity_acu = 4, storage_gb = 20 }
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.storage[0].threshold == 2 * 1024 * 1024 * 1024 && !contains(output.alarm_names, "orders-test-database-capacity")
    error_message = "a tenth of the disk"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.above["database-cpu"].dimensions == tomap({ DBInstanceIdentifier = "orders-test" })
    error_message = "the instance's figures"
  }
}

run "the_dashboard_is_json_with_every_part" {
  command = plan

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets) == 11 && alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : length(widget.properties.metrics) > 0])
    error_message = "no empty widget"
  }

  assert {
    condition     = alltrue(flatten([for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : [for metric in widget.properties.metrics : length(metric) % 2 == 0 && alltrue([for word in metric : can(tostring(word))])]]))
    error_message = "a metric is a namespace, a name, and pairs of dimensions"
  }
}

run "refuses_what_is_no_address" {
  command = plan
  variables {
    alarm_email = "on-call"
  }
  expect_failures = [var.alarm_email]
}

run "refuses_no_queues" {
  command = plan
  variables {
    queues = []
  }
  expect_failures = [var.queues]
}

run "refuses_an_unknown_engine" {
  command = plan
  variables {
    database = { engine = "postgres", identifier = "orders-test", max_capacity_acu = 4, storage_gb = 20 }
  }
  expect_failures = [var.database]
}

run "refuses_limits_of_nothing" {
  command = plan

  variables {
    max_connections           = 0
    server_errors_limit       = 0
    backlog_age_limit_seconds = 0
  }

  expect_failures = [var.max_connections, var.server_errors_limit, var.backlog_age_limit_seconds]
}

run "a_worker_that_may_sleep_is_watched_by_who_wakes_it" {
  command = plan

  variables {
    waker_function_name = "orders-test-waker"
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.tasks) == 0 && aws_cloudwatch_metric_alarm.above["schedules-missed"].treat_missing_data == "notBreaching"
    error_message = "a worker that sleeps is no outage"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.waker[0].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.waker[0].dimensions == tomap({ FunctionName = "orders-test-waker" }) && contains(output.alarm_names, "orders-test-waker") && aws_cloudwatch_metric_alarm.waker[0].alarm_actions == toset([aws_sns_topic.this[0].arn])
    error_message = "but one that nobody wakes is"
  }
}

run "the_essential_alarms" {
  command = plan

  variables {
    alarms            = "essential"
    dashboard_enabled = false
  }

  assert {
    condition     = toset(output.alarm_names) == toset(["orders-test-api-5xx", "orders-test-tasks-all"]) && output.dashboard_name == null
    error_message = "callers are turned away, or nobody works"
  }
}

run "nothing_that_nobody_would_read" {
  command = plan

  variables {
    alarms              = "none"
    waker_function_name = "orders-test-waker"
    database            = { engine = "mariadb", identifier = "orders-test", max_capacity_acu = 4, storage_gb = 20 }
  }

  assert {
    condition     = length(output.alarm_names) == 0 && output.topic_arn == null && length(aws_cloudwatch_event_rule.deploy_failed) == 0
    error_message = "no alarm, nowhere to send it"
  }

  assert {
    condition     = length(aws_sns_topic_policy.this) == 0 && length(aws_cloudwatch_event_target.deploy_failed) == 0 && length(aws_cloudwatch_dashboard.this) == 1
    error_message = "a page to look at is another matter"
  }
}

run "without_alarms_a_worker_that_never_sleeps_is_not_watched_either" {
  command = plan

  variables {
    alarms = "none"
  }

  assert {
    condition     = length(output.alarm_names) == 0
    error_message = "tasks neither"
  }
}

run "refuses_a_reader_of_nothing" {
  command = plan

  variables {
    alarms      = "none"
    alarm_email = "on-call@example.com"
  }

  expect_failures = [var.alarm_email]
}

run "refuses_alarms_that_there_are_not" {
  command = plan

  variables {
    alarms = "few"
  }

  expect_failures = [var.alarms]
}
