resource "aws_ecs_service" "this" {
  # checkov:skip=CKV_AWS_333:a variable: only an environment without NAT gives its tasks addresses, and nothing may come in
  for_each = var.groups

  name                    = "${var.prefix}-${each.key}"
  cluster                 = aws_ecs_cluster.this.id
  task_definition         = aws_ecs_task_definition.worker[each.key].arn
  desired_count           = each.value.min_tasks
  platform_version        = "LATEST"
  enable_execute_command  = false
  enable_ecs_managed_tags = true
  propagate_tags          = "SERVICE"

  # A new task is up before an old one is told to end.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  wait_for_steady_state              = true

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  # The first task is never taken away; those beyond may run on spare capacity, which has two minutes' notice.
  capacity_provider_strategy {
    capacity_provider = "FARGATE"
    base              = 1
    weight            = each.value.spot ? 0 : 1
  }

  dynamic "capacity_provider_strategy" {
    for_each = each.value.spot ? ["FARGATE_SPOT"] : []

    content {
      capacity_provider = capacity_provider_strategy.value
      weight            = 1
    }
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [aws_security_group.this.id]
    assign_public_ip = var.assign_public_ip
  }

  timeouts {
    create = "20m"
    update = "20m"
    delete = "20m"
  }

  lifecycle {
    ignore_changes = [desired_count] # autoscaling's, and the waker's
  }

  depends_on = [
    aws_ecs_cluster_capacity_providers.this,
    aws_iam_role_policy.execution,
    aws_iam_role_policy.worker,
    aws_vpc_security_group_egress_rule.database,
    aws_vpc_security_group_egress_rule.internet,
    terraform_data.deploy,
  ]
}
