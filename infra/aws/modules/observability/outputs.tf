output "topic_arn" {
  description = "The topic of alarms: subscribe the pager to it. Null without alarms."
  value       = local.topic_arn
}

output "dashboard_name" {
  description = "Name of the dashboard in CloudWatch; null without one."
  value       = one(aws_cloudwatch_dashboard.this[*].dashboard_name)
}

output "alarm_names" {
  description = "Every alarm that writes to the topic."
  value = sort(concat(
    [for alarm in aws_cloudwatch_metric_alarm.above : alarm.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.tasks : alarm.alarm_name],
    aws_cloudwatch_metric_alarm.storage[*].alarm_name,
    aws_cloudwatch_metric_alarm.waker[*].alarm_name,
  ))
}
