# What pages. Each alarm is one row: what is measured, from when it is wrong, for how long, and what silence means.
# Silence is "all is well" for what counts errors, and "it is broken" for what should always report.

locals {
  minute   = 60
  sleeping = var.waker_function_name != null
  # An environment to try things in: callers are turned away, or work is not done (the waker's alarm, or the tasks').
  essential = ["api-5xx"]

  edge = {
    api-5xx = {
      description = "The API answers with 5xx: callers are turned away"
      namespace   = "AWS/ApiGateway", metric = "5xx", dimensions = { ApiId = var.api_id }
      stat        = "Sum", period = 5 * local.minute, periods = 1, above = var.server_errors_limit - 1, silence = "notBreaching"
    }
    api-slow = {
      description = "One request in twenty takes more than three seconds: senders of webhooks give up at five"
      namespace   = "AWS/ApiGateway", metric = "Latency", dimensions = { ApiId = var.api_id }
      stat        = "p95", period = 5 * local.minute, periods = 3, above = 3000, silence = "notBreaching"
    }
  }

  function_errors = { for name, function_name in var.function_names : "function-${name}-errors" => {
    description = "The function ${name} fails: its log says why"
    namespace   = "AWS/Lambda", metric = "Errors", dimensions = { FunctionName = function_name }
    stat        = "Sum", period = 5 * local.minute, periods = 1, above = 0, silence = "notBreaching"
  } }

  function_throttles = { for name, function_name in var.function_names : "function-${name}-throttles" => {
    description = "The function ${name} is turned away: its reserved concurrency, or the account's, is used up"
    namespace   = "AWS/Lambda", metric = "Throttles", dimensions = { FunctionName = function_name }
    stat        = "Sum", period = 5 * local.minute, periods = 1, above = 0, silence = "notBreaching"
  } }

  backlogs = { for queue in var.queues : "backlog-${queue}" => {
    description = "Work waits in the queue ${queue}, and more tasks did not help"
    namespace   = var.metrics_namespace, metric = "BacklogAgeSeconds", dimensions = { Queue = queue }
    stat        = "Maximum", period = local.minute, periods = 5, above = var.backlog_age_limit_seconds, silence = "notBreaching"
  } }

  work = {
    schedules-missed = {
      description = "A reconciliation did not start when it should have, or no worker reports at all"
      namespace   = var.metrics_namespace, metric = "SchedulesMissed", dimensions = {}
      # Reported every minute by every worker: silence is an outage.
      stat = "Maximum", period = 5 * local.minute, periods = 3, above = 0, silence = "breaching"
    }
    runs-failed = {
      description = "A reconciliation ended with an error"
      namespace   = var.metrics_namespace, metric = "ReconciliationRunsFailed", dimensions = {}
      stat        = "Maximum", period = 5 * local.minute, periods = 1, above = 0, silence = "notBreaching"
    }
    dead-letters = {
      description = "Events were put aside that nothing could process"
      namespace   = var.metrics_namespace, metric = "DeadLetters", dimensions = {}
      stat        = "Maximum", period = 5 * local.minute, periods = 1, above = 0, silence = "notBreaching"
    }
    stuck-work = {
      description = "Steps keep failing, or the code of workflows does: `orders attention list` shows them"
      namespace   = var.metrics_namespace, metric = "StuckWork", dimensions = {}
      # Two periods: an outage of a provider for a few minutes is not worth a night.
      stat = "Maximum", period = 5 * local.minute, periods = 2, above = 0, silence = "notBreaching"
    }
    dead-webhooks = {
      description = "Webhooks that we send were given up: orders outbound list --state dead"
      namespace   = var.metrics_namespace, metric = "DeadWebhooks", dimensions = {}
      stat        = "Maximum", period = 5 * local.minute, periods = 1, above = 0, silence = "notBreaching"
    }
  }

  breaks = { for shop in var.shops : "breaks-at-risk-${shop}" => {
    description = "Differences of the shop ${shop} are open for too long: money or goods may be lost"
    namespace   = var.metrics_namespace, metric = "BreaksAtRisk", dimensions = { Shop = shop }
    stat        = "Maximum", period = 5 * local.minute, periods = 1, above = 0, silence = "notBreaching"
  } }

  database_dimensions = var.database.engine == "mariadb" ? { DBInstanceIdentifier = var.database.identifier } : { DBClusterIdentifier = var.database.identifier }

  database = {
    database-cpu = {
      description = "The database has worked at more than 80 % for a quarter of an hour"
      namespace   = "AWS/RDS", metric = "CPUUtilization", dimensions = local.database_dimensions
      stat        = "Average", period = 5 * local.minute, periods = 3, above = 80, silence = "missing"
    }
    database-connections = {
      description = "More connections than all pools together should have"
      namespace   = "AWS/RDS", metric = "DatabaseConnections", dimensions = local.database_dimensions
      stat        = "Maximum", period = 5 * local.minute, periods = 3, above = var.max_connections, silence = "missing"
    }
  }

  database_aurora = var.database.engine == "mariadb" ? {} : {
    database-capacity = {
      description = "The database is at nine tenths of its greatest capacity (${var.database.max_capacity_acu} ACU): raise max_capacity_acu"
      namespace   = "AWS/RDS", metric = "ACUUtilization", dimensions = local.database_dimensions
      stat        = "Average", period = 5 * local.minute, periods = 3, above = 90, silence = "missing"
    }
  }

  all = merge(
    local.edge, local.function_errors, local.function_throttles, local.backlogs, local.work, local.breaks,
    local.database, local.database_aurora,
  )
  above = { for name, alarm in local.all : name => alarm if var.alarms == "all" || (local.watched && contains(local.essential, name)) }
}

resource "aws_cloudwatch_metric_alarm" "above" {
  for_each = local.above

  alarm_name          = "${var.prefix}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = startswith(each.value.stat, "p") ? null : each.value.stat
  extended_statistic  = startswith(each.value.stat, "p") ? each.value.stat : null
  period              = each.value.period
  evaluation_periods  = each.value.periods
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  # Where the worker may sleep its silence is no outage: the waker's alarm says when it should be awake and is not.
  treat_missing_data = local.sleeping && each.value.namespace == var.metrics_namespace ? "notBreaching" : each.value.silence
  alarm_actions      = [local.topic_arn]
  ok_actions         = [local.topic_arn]
}

# Every task reports its CPU once a minute: the number of reports is the number of tasks, without Container Insights.
# Where tasks may sleep, the waker knows whether they should be there.
resource "aws_cloudwatch_metric_alarm" "tasks" {
  for_each = { for name, service in var.services : name => service if local.watched && !local.sleeping }

  alarm_name          = "${var.prefix}-tasks-${each.key}"
  alarm_description   = "Fewer than ${each.value.min_tasks} tasks of ${each.key} run"
  namespace           = "AWS/ECS"
  metric_name         = "CPUUtilization"
  dimensions          = { ClusterName = var.cluster_name, ServiceName = each.value.name }
  statistic           = "SampleCount"
  period              = local.minute
  evaluation_periods  = 10
  datapoints_to_alarm = 5
  comparison_operator = "LessThanThreshold"
  threshold           = each.value.min_tasks
  treat_missing_data  = "breaching"
  alarm_actions       = [local.topic_arn]
  ok_actions          = [local.topic_arn]
}

# It fails when it cannot see, and when work waits although the worker should be awake. It reports every minute, also
# that all is well: silence means that nobody wakes the worker.
resource "aws_cloudwatch_metric_alarm" "waker" {
  count = local.watched && local.sleeping ? 1 : 0

  alarm_name          = "${var.prefix}-waker"
  alarm_description   = "Work is not done, or nobody looks whether there is any: the waker's log says why"
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = var.waker_function_name }
  statistic           = "Sum"
  period              = local.minute
  evaluation_periods  = 10
  datapoints_to_alarm = 8
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "breaching"
  alarm_actions       = [local.topic_arn]
  ok_actions          = [local.topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "storage" {
  count = var.database.engine == "mariadb" && var.alarms == "all" ? 1 : 0

  alarm_name          = "${var.prefix}-database-storage"
  alarm_description   = "Less than a tenth of the database's disk is free: it grows by itself up to max_storage_gb, and no further"
  namespace           = "AWS/RDS"
  metric_name         = "FreeStorageSpace"
  dimensions          = local.database_dimensions
  statistic           = "Minimum"
  period              = 5 * local.minute
  evaluation_periods  = 3
  comparison_operator = "LessThanThreshold"
  threshold           = var.database.storage_gb * 1024 * 1024 * 1024 / 10
  treat_missing_data  = "missing"
  alarm_actions       = [local.topic_arn]
  ok_actions          = [local.topic_arn]
}
