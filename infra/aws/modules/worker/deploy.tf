# The gate between an old and a new release: apply runs the deploy task (schema, search attributes, schedules) and waits.
# A failure fails apply, and no service has been touched; the next apply runs it again.

resource "terraform_data" "deploy" {
  count = var.deploy_task_enabled ? 1 : 0

  triggers_replace = [aws_ecs_task_definition.deploy.arn]

  provisioner "local-exec" {
    # No shell: the interpreter is the program with its arguments, the command is the last of them.
    interpreter = [
      var.python, "-m", "infra.deploy", "run-task",
      "--cluster", aws_ecs_cluster.this.arn,
      "--subnets", join(",", var.subnet_ids),
      "--security-groups", aws_security_group.this.id,
      "--assign-public-ip", tostring(var.assign_public_ip),
      "--task-definition",
    ]
    command     = aws_ecs_task_definition.deploy.arn
    environment = { AWS_REGION = local.region, AWS_DEFAULT_REGION = local.region }
  }

  # All that the task needs to start, to pull, to read and to connect.
  depends_on = [
    aws_ecs_cluster_capacity_providers.this,
    aws_iam_role_policy.deploy,
    aws_iam_role_policy.execution,
    aws_vpc_security_group_egress_rule.database,
    aws_vpc_security_group_egress_rule.internet,
  ]
}
