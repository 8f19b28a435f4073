# One page, top to bottom as an order goes: edge, functions, queues, tasks, database, reconciliation.

locals {
  widgets = [
    {
      title   = "Requests and errors of the API", stat = "Sum"
      metrics = [for metric in ["Count", "4xx", "5xx"] : ["AWS/ApiGateway", metric, "ApiId", var.api_id]]
    },
    {
      title   = "Latency of the API, p95 (ms)", stat = "p95"
      metrics = [["AWS/ApiGateway", "Latency", "ApiId", var.api_id], ["AWS/ApiGateway", "IntegrationLatency", "ApiId", var.api_id]]
    },
    {
      title = "Functions: errors and throttles", stat = "Sum"
      metrics = flatten([for name in values(var.function_names) : [for metric in ["Errors", "Throttles"] :
      { row = ["AWS/Lambda", metric, "FunctionName", name] }]])[*].row
    },
    {
      title   = "Functions: running at once", stat = "Maximum"
      metrics = [for name in values(var.function_names) : ["AWS/Lambda", "ConcurrentExecutions", "FunctionName", name]]
    },
    {
      title   = "Queues: waiting tasks", stat = "Maximum"
      metrics = [for queue in var.queues : [var.metrics_namespace, "BacklogCount", "Queue", queue]]
    },
    {
      title   = "Queues: age of the oldest task (s)", stat = "Maximum"
      metrics = [for queue in var.queues : [var.metrics_namespace, "BacklogAgeSeconds", "Queue", queue]]
    },
    {
      title   = "Worker: running tasks", stat = "SampleCount"
      metrics = [for service in values(var.services) : ["AWS/ECS", "CPUUtilization", "ClusterName", var.cluster_name, "ServiceName", service.name]]
    },
    {
      title = "Worker: CPU and memory (%)", stat = "Average"
      metrics = flatten([for service in values(var.services) : [for metric in ["CPUUtilization", "MemoryUtilization"] :
      { row = ["AWS/ECS", metric, "ClusterName", var.cluster_name, "ServiceName", service.name] }]])[*].row
    },
    {
      title = "Database", stat = "Average"
      metrics = [for metric in concat(["CPUUtilization", "DatabaseConnections"], var.database.engine == "mariadb" ? ["FreeableMemory"] : ["ServerlessDatabaseCapacity", "ACUUtilization"]) :
      concat(["AWS/RDS", metric], flatten([for name, value in local.database_dimensions : [name, value]]))]
    },
    {
      title   = "Reconciliation: open breaks and those at risk", stat = "Maximum"
      metrics = flatten([for shop in var.shops : [for metric in ["OpenBreaks", "BreaksAtRisk"] : { row = [var.metrics_namespace, metric, "Shop", shop] }]])[*].row
    },
    {
      title   = "Reconciliation: missed schedules, failed runs, dead letters; webhooks given up", stat = "Maximum"
      metrics = [for metric in ["SchedulesMissed", "ReconciliationRunsFailed", "DeadLetters", "StuckWork", "DeadWebhooks"] : [var.metrics_namespace, metric]]
    },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.dashboard_enabled ? 1 : 0

  dashboard_name = var.prefix
  dashboard_body = jsonencode({
    widgets = [for index, widget in local.widgets : {
      type   = "metric"
      x      = (index % 2) * 12
      y      = floor(index / 2) * 6
      width  = 12
      height = 6
      properties = {
        title   = widget.title
        region  = local.region
        view    = "timeSeries"
        stat    = widget.stat
        period  = 60
        metrics = widget.metrics
      }
    }]
  })
}
