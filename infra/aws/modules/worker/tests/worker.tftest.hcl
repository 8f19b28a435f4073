mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  prefix         = "orders-test"
  image          = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders/worker:2026.7.1"
  repository_arn = "arn:aws:ecr:eu-west-1:123456789012:repository/orders/worker"
  groups = {
    orders = { queues = ["orders", "events", "users"], cpu = 512, memory_mb = 1024, min_tasks = 1, max_tasks = 6, spot = true }
    books  = { queues = ["reconciliation"], cpu = 1024, memory_mb = 2048, min_tasks = 1, max_tasks = 1 }
  }
  environment                = { ORDERS_ENV = "production" }
  secrets                    = { ORDERS_PROVIDER__API_KEY = { secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/test/worker-abc123", key = "ORDERS_PROVIDER__API_KEY" } }
  deploy_environment         = { ORDERS_DEPLOY__DATABASE_NAME = "orders" }
  deploy_secrets             = { ORDERS_DEPLOY__DATABASE_MASTER_PASSWORD = { secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1-abc123", key = "password" } }
  deploy_writes_secret_arn   = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/test/database-abc123"
  bucket_arn                 = "arn:aws:s3:::orders-test-files-123456789012"
  vpc_id                     = "vpc-1"
  subnet_ids                 = ["subnet-1"]
  egress_ports               = { "7233" = "Temporal" }
  database_security_group_id = "sg-database"
  metrics_namespace          = "orders-test"
  python                     = "python3"
  # The provisioner would really run, even with a mocked provider.
  deploy_task_enabled = false
}

run "containers_are_hardened" {
  command = plan

  assert {
    condition = alltrue([for definition in concat(values(aws_ecs_task_definition.worker), [aws_ecs_task_definition.deploy]) : alltrue([
      jsondecode(definition.container_definitions)[0].readonlyRootFilesystem,
      jsondecode(definition.container_definitions)[0].user == "10001:10001",
      !jsondecode(definition.container_definitions)[0].privileged,
      jsondecode(definition.container_definitions)[0].linuxParameters.initProcessEnabled,
      jsondecode(definition.container_definitions)[0].stopTimeout == 120,
      jsondecode(definition.container_definitions)[0].memory == tonumber(definition.memory),
      jsondecode(definition.container_definitions)[0].mountPoints == [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }],
      definition.runtime_platform[0].cpu_architecture == "ARM64",
      definition.skip_destroy,
    ])])
    error_message = "read-only, not root, bounded, with time to end; revisions stay for a rollback"
  }

  assert {
    condition     = alltrue([for service in aws_ecs_service.this : !service.enable_execute_command])
    error_message = "nobody executes commands in a container"
  }
}

run "a_group_is_a_service_with_its_queues" {
  command = plan

  assert {
    condition     = toset([for service in aws_ecs_service.this : service.name]) == toset(["orders-test-orders", "orders-test-books"])
    error_message = "one service per group"
  }

  assert {
    condition = { for variable in jsondecode(aws_ecs_task_definition.worker["orders"].container_definitions)[0].environment : variable.name => variable.value } == {
      ORDERS_ENV                   = "production"
      ORDERS_WORKER__QUEUES        = "[\"orders\",\"events\",\"users\"]"
      ORDERS_WORKER__GRACE_SECONDS = "100"
      ORDERS_WORKER__HEALTH_HOST   = "127.0.0.1"
      ORDERS_WORKER__HEALTH_PORT   = "9400"
    }
    error_message = "the queues of the group, a grace below the stop time-out"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.worker["books"].container_definitions)[0].command == ["worker", "run"] && jsondecode(aws_ecs_task_definition.deploy.container_definitions)[0].command == ["deploy", "run"]
    error_message = "the worker runs, the deploy deploys"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.worker["books"].container_definitions)[0].secrets == [{ name = "ORDERS_PROVIDER__API_KEY", valueFrom = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/test/worker-abc123:ORDERS_PROVIDER__API_KEY::" }]
    error_message = "secrets are references"
  }

  assert {
    condition     = contains(jsondecode(aws_ecs_task_definition.worker["books"].container_definitions)[0].healthCheck.command, "python") && jsondecode(aws_ecs_task_definition.worker["books"].container_definitions)[0].logConfiguration.options.mode == "non-blocking"
    error_message = "its health is asked for; logs do not stop it"
  }

  assert {
    condition     = alltrue([for service in aws_ecs_service.this : one(service.deployment_circuit_breaker).enable && one(service.deployment_circuit_breaker).rollback && service.deployment_minimum_healthy_percent == 100 && service.deployment_maximum_percent == 200 && service.wait_for_steady_state])
    error_message = "a release that does not come up is taken back, and apply waits to see"
  }
}

run "only_tasks_beyond_the_first_run_on_spare_capacity" {
  command = plan

  assert {
    condition     = { for strategy in aws_ecs_service.this["orders"].capacity_provider_strategy : strategy.capacity_provider => "${coalesce(strategy.base, 0)}/${coalesce(strategy.weight, 0)}" } == { FARGATE = "1/0", FARGATE_SPOT = "0/1" }
    error_message = "the first on demand"
  }

  assert {
    condition     = [for strategy in aws_ecs_service.this["books"].capacity_provider_strategy : strategy.capacity_provider] == ["FARGATE"]
    error_message = "none where spot is off"
  }
}

run "tasks_call_and_are_not_called" {
  command = plan

  assert {
    condition     = toset([for rule in aws_vpc_security_group_egress_rule.internet : rule.from_port]) == toset([443, 7233]) && alltrue([for rule in aws_vpc_security_group_egress_rule.internet : rule.from_port == rule.to_port])
    error_message = "HTTPS and Temporal, no more"
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.database.referenced_security_group_id == "sg-database" && aws_vpc_security_group_egress_rule.database.from_port == 3306
    error_message = "and the database"
  }
}

run "scaling_looks_at_the_fullest_and_the_oldest_queue" {
  command = plan

  assert {
    condition     = keys(aws_appautoscaling_target.this) == ["books", "orders"] && keys(aws_appautoscaling_policy.backlog) == ["orders"] && keys(aws_appautoscaling_policy.cpu) == ["orders"] && keys(aws_appautoscaling_policy.age) == ["orders"]
    error_message = "a target for every group, policies where there is room to scale"
  }

  assert {
    condition     = [for metric in aws_appautoscaling_policy.backlog["orders"].target_tracking_scaling_policy_configuration[0].customized_metric_specification[0].metrics : metric.expression if metric.return_data] == ["MAX([queue0, queue1, queue2])"]
    error_message = "the fullest queue counts"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.age["orders"].threshold == 60 && one([for query in aws_cloudwatch_metric_alarm.age["orders"].metric_query : query.expression if query.return_data]) == "MAX([queue0, queue1, queue2])"
    error_message = "the oldest waiting task counts"
  }
}

run "roles_have_what_they_need_and_no_more" {
  command = plan

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.worker.policy).Statement : one(statement.Resource) => statement.Action } == {
      "arn:aws:s3:::orders-test-files-123456789012"   = ["s3:ListBucket"]
      "arn:aws:s3:::orders-test-files-123456789012/*" = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
    }
    error_message = "the worker: the objects of its bucket, wherever it files them, and no deletion"
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.deploy.policy).Statement : statement.Resource] == [["arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/test/database-abc123"]]
    error_message = "the deploy task: one secret"
  }

  assert {
    condition = flatten([for statement in jsondecode(aws_iam_role_policy.execution["deploy"].policy).Statement : statement.Resource if statement.Sid == "ReadInjectedSecrets"]) == [
      "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1-abc123",
    ]
    error_message = "the deploy's execution role: what is injected into the deploy"
  }

  assert {
    condition = flatten([for statement in jsondecode(aws_iam_role_policy.execution["worker"].policy).Statement : statement.Resource if statement.Sid == "ReadInjectedSecrets"]) == [
      "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/test/worker-abc123",
    ]
    error_message = "the worker's execution role: what is injected into the worker; not the master password"
  }

  assert {
    condition = alltrue(flatten([for role in ["worker", "deploy"] : [for statement in jsondecode(aws_iam_role_policy.execution[role].policy).Statement :
    !contains(statement.Resource, "*") || statement.Action == ["ecr:GetAuthorizationToken"]]]))
    error_message = "everything only for signing in to the registry, which knows no resource"
  }
}

run "a_public_image_needs_no_right_to_pull_and_keys_are_used_through_their_service" {
  command = plan

  variables {
    repository_arn      = null
    kms_key_arn         = "arn:aws:kms:eu-west-1:123456789012:key/files"
    secret_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/secrets"]
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.execution["worker"].policy, "ecr:")
    error_message = "no ECR"
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_iam_role_policy.execution["worker"].policy).Statement : statement.Condition.StringEquals["kms:ViaService"] == "secretsmanager.eu-west-1.amazonaws.com" if strcontains(jsonencode(statement.Action), "kms:")])
    error_message = "keys of secrets only through Secrets Manager"
  }

  assert {
    condition     = length([for statement in jsondecode(aws_iam_role_policy.worker.policy).Statement : statement if try(statement.Condition.StringEquals["kms:ViaService"], "") == "s3.eu-west-1.amazonaws.com"]) == 1
    error_message = "the key of files only through S3"
  }
}

run "the_deploy_task_runs_before_the_services" {
  command = plan

  variables {
    deploy_task_enabled = true # a plan runs no provisioner
  }

  assert {
    condition     = length(terraform_data.deploy) == 1
    error_message = "there is a gate"
  }
}

run "without_the_gate" {
  command = plan

  assert {
    condition     = length(terraform_data.deploy) == 0
    error_message = "tests of plans have none"
  }
}

run "refuses_an_image_that_changes" {
  command = plan
  variables {
    image = "example.com/worker:latest"
  }
  expect_failures = [var.image]
}

run "refuses_an_image_without_a_tag" {
  command = plan
  variables {
    image = "example.com/worker"
  }
  expect_failures = [var.image]
}

run "refuses_no_groups" {
  command = plan
  variables {
    groups = {}
  }
  expect_failures = [var.groups]
}

run "refuses_a_group_without_queues" {
  command = plan
  variables {
    groups = { all = { queues = [], cpu = 512, memory_mb = 1024, min_tasks = 1, max_tasks = 1 } }
  }
  expect_failures = [var.groups]
}

run "refuses_a_size_that_fargate_does_not_have" {
  command = plan
  variables {
    groups = { all = { queues = ["orders"], cpu = 512, memory_mb = 512, min_tasks = 1, max_tasks = 1 } }
  }
  expect_failures = [var.groups]
}

run "refuses_to_scale_to_nothing" {
  command = plan
  variables {
    groups = { all = { queues = ["orders"], cpu = 512, memory_mb = 1024, min_tasks = 0, max_tasks = 1 } }
  }
  expect_failures = [var.groups]
}

run "refuses_a_group_whose_name_is_none" {
  command = plan
  variables {
    groups = { "All Queues" = { queues = ["orders"], cpu = 512, memory_mb = 1024, min_tasks = 1, max_tasks = 1 } }
  }
  expect_failures = [var.groups]
}

run "refuses_no_subnets" {
  command = plan
  variables {
    subnet_ids = []
  }
  expect_failures = [var.subnet_ids]
}

run "refuses_what_is_no_port" {
  command = plan
  variables {
    egress_ports = { "70000" = "nothing" }
  }
  expect_failures = [var.egress_ports]
}

run "refuses_a_target_of_nothing" {
  command = plan
  variables {
    backlog_per_poller_target = 0
  }
  expect_failures = [var.backlog_per_poller_target]
}

run "refuses_a_limit_shorter_than_the_metric" {
  command = plan
  variables {
    backlog_age_limit_seconds = 1
  }
  expect_failures = [var.backlog_age_limit_seconds]
}

run "refuses_a_processor_that_fargate_lacks" {
  command = plan

  variables {
    cpu_architecture = "arm64"
  }

  expect_failures = [var.cpu_architecture]
}

run "parameters_are_handed_over_whole_and_unpacked_by_name" {
  command = plan

  variables {
    secrets                  = {}
    parameters               = { worker = { arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/orders/test/worker", keys = ["ORDERS_PROVIDER__API_KEY"] } }
    deploy_parameters        = { encryption = { arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/orders/test/encryption", keys = ["ORDERS_ENCRYPTION__KEYS"] } }
    deploy_writes_secret_arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/orders/test/database"
    secret_kms_key_arns      = ["arn:aws:kms:eu-west-1:123456789012:key/secrets"]
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.worker["books"].container_definitions)[0].secrets == [{ name = "SECRET_VARIABLES_WORKER", valueFrom = "arn:aws:ssm:eu-west-1:123456789012:parameter/orders/test/worker" }]
    error_message = "ECS picks no key out of a parameter"
  }

  assert {
    condition     = jsondecode({ for each in jsondecode(aws_ecs_task_definition.worker["books"].container_definitions)[0].environment : each.name => each.value }["SECRET_VARIABLES"]) == { worker = ["ORDERS_PROVIDER__API_KEY"] }
    error_message = "the program is told what to take out of it"
  }

  assert {
    condition     = contains(jsondecode(aws_ecs_task_definition.deploy.container_definitions)[0].secrets[*].name, "SECRET_VARIABLES_ENCRYPTION") && contains(jsondecode(aws_ecs_task_definition.deploy.container_definitions)[0].secrets[*].name, "ORDERS_DEPLOY__DATABASE_MASTER_PASSWORD")
    error_message = "the master password is RDS's, in Secrets Manager"
  }

  assert {
    condition = jsonencode({ for each in jsondecode(aws_iam_role_policy.execution["worker"].policy).Statement : each.Sid => each if strcontains(each.Sid, "Parameters") }) == jsonencode({
      ReadInjectedParameters = { Sid = "ReadInjectedParameters", Effect = "Allow", Action = ["ssm:GetParameters"], Resource = ["arn:aws:ssm:eu-west-1:123456789012:parameter/orders/test/worker"] }
      "DecryptParameters${substr(sha1(var.secret_kms_key_arns[0]), 0, 8)}" = {
        Sid       = "DecryptParameters${substr(sha1(var.secret_kms_key_arns[0]), 0, 8)}", Effect = "Allow", Action = ["kms:Decrypt"], Resource = var.secret_kms_key_arns
        Condition = { StringEquals = { "kms:EncryptionContext:PARAMETER_ARN" = ["arn:aws:ssm:eu-west-1:123456789012:parameter/orders/test/worker"], "kms:ViaService" = "ssm.eu-west-1.amazonaws.com" } }
      }
    })
    error_message = "the worker's parameters, and their key for nothing else"
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.execution["worker"].policy, "secretsmanager") && !strcontains(aws_iam_role_policy.deploy.policy, "secretsmanager")
    error_message = "no right to a secret where there is none"
  }

  assert {
    condition     = alltrue([for each in jsondecode(aws_iam_role_policy.deploy.policy).Statement : jsonencode(each.Resource) == jsonencode(["arn:aws:ssm:eu-west-1:123456789012:parameter/orders/test/database"]) || try(each.Condition.StringEquals["kms:EncryptionContext:PARAMETER_ARN"], "") == "arn:aws:ssm:eu-west-1:123456789012:parameter/orders/test/database"])
    error_message = "the deploy task writes the one parameter"
  }
}
