# Where a state of before knows them: with alarms = "none" there are none of these, so each has a number now.

moved {
  from = aws_sns_topic.this
  to   = aws_sns_topic.this[0]
}

moved {
  from = aws_sns_topic_policy.this
  to   = aws_sns_topic_policy.this[0]
}

moved {
  from = aws_cloudwatch_event_rule.deploy_failed
  to   = aws_cloudwatch_event_rule.deploy_failed[0]
}

moved {
  from = aws_cloudwatch_event_target.deploy_failed
  to   = aws_cloudwatch_event_target.deploy_failed[0]
}
