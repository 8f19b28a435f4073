# As many tasks as the queues need: the fullest queue of a group counts. Three votes, the highest wins; tasks are taken
# away only when all three agree, and slowly.

locals {
  scaled = { for name, group in var.groups : name => group if group.max_tasks > group.min_tasks }
}

# Also where there is nothing to scale: desired_count is not Terraform's, and min_tasks must have an effect.
resource "aws_appautoscaling_target" "this" {
  for_each = var.groups

  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${aws_ecs_service.this[each.key].name}"
  min_capacity       = each.value.min_tasks
  max_capacity       = each.value.max_tasks
}

resource "aws_appautoscaling_policy" "backlog" {
  for_each = local.scaled

  name               = "${var.prefix}-${each.key}-backlog"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this[each.key].service_namespace
  scalable_dimension = aws_appautoscaling_target.this[each.key].scalable_dimension
  resource_id        = aws_appautoscaling_target.this[each.key].resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = var.backlog_per_poller_target
    scale_out_cooldown = 60
    scale_in_cooldown  = 300

    customized_metric_specification {
      dynamic "metrics" {
        for_each = each.value.queues

        content {
          id          = "queue${metrics.key}"
          return_data = false

          metric_stat {
            stat = "Average"

            metric {
              namespace   = var.metrics_namespace
              metric_name = "BacklogPerPoller"

              dimensions {
                name  = "Queue"
                value = metrics.value
              }
            }
          }
        }
      }

      metrics {
        id          = "fullest"
        label       = "Backlog per poller of the fullest queue"
        expression  = "MAX([${join(", ", [for index in range(length(each.value.queues)) : "queue${index}"])}])"
        return_data = true
      }
    }
  }
}

resource "aws_appautoscaling_policy" "cpu" {
  for_each = local.scaled

  name               = "${var.prefix}-${each.key}-cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this[each.key].service_namespace
  scalable_dimension = aws_appautoscaling_target.this[each.key].scalable_dimension
  resource_id        = aws_appautoscaling_target.this[each.key].resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = 60
    scale_out_cooldown = 60
    scale_in_cooldown  = 300

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

resource "aws_appautoscaling_policy" "age" {
  for_each = local.scaled

  name               = "${var.prefix}-${each.key}-age"
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.this[each.key].service_namespace
  scalable_dimension = aws_appautoscaling_target.this[each.key].scalable_dimension
  resource_id        = aws_appautoscaling_target.this[each.key].resource_id

  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    metric_aggregation_type = "Maximum"
    cooldown                = 120

    # Bounds are seconds above the limit: up to twice the limit one task more, beyond it two.
    step_adjustment {
      metric_interval_lower_bound = 0
      metric_interval_upper_bound = var.backlog_age_limit_seconds
      scaling_adjustment          = 1
    }

    step_adjustment {
      metric_interval_lower_bound = var.backlog_age_limit_seconds
      scaling_adjustment          = 2
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "age" {
  for_each = local.scaled

  alarm_name          = "${var.prefix}-${each.key}-scale-out"
  alarm_description   = "Adds tasks to ${each.key}: the oldest waiting task is older than ${var.backlog_age_limit_seconds} s. Pages nobody."
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.backlog_age_limit_seconds
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_appautoscaling_policy.age[each.key].arn]

  dynamic "metric_query" {
    for_each = each.value.queues

    content {
      id          = "queue${metric_query.key}"
      return_data = false

      metric {
        namespace   = var.metrics_namespace
        metric_name = "BacklogAgeSeconds"
        dimensions  = { Queue = metric_query.value }
        period      = 60
        stat        = "Maximum"
      }
    }
  }

  metric_query {
    id          = "oldest"
    label       = "Age of the oldest waiting task (s)"
    expression  = "MAX([${join(", ", [for index in range(length(each.value.queues)) : "queue${index}"])}])"
    return_data = true
  }
}
