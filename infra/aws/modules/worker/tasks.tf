# Task definitions: what runs, as whom, with which variables. Old revisions stay active (skip_destroy): a service that
# rolls back by itself, and a person who rolls back, need them.

locals {
  # ECS kills at the stop time-out (120 s is Fargate's most); the worker lets activities end for a little less.
  stop_timeout_seconds = 120
  grace_seconds        = 100
  health_port          = 9400

  worker_environment = { for name, group in var.groups : name => merge(var.environment, local.worker_unpacked, {
    ORDERS_WORKER__QUEUES        = jsonencode(group.queues)
    ORDERS_WORKER__GRACE_SECONDS = tostring(local.grace_seconds)
    ORDERS_WORKER__HEALTH_HOST   = "127.0.0.1"
    ORDERS_WORKER__HEALTH_PORT   = tostring(local.health_port)
  }) }

  # A parameter comes whole, in a variable of its own; SECRET_VARIABLES names those to take out of each.
  worker_unpacked = length(var.parameters) == 0 ? {} : { SECRET_VARIABLES = jsonencode({ for kind, from in var.parameters : kind => from.keys }) }
  deploy_unpacked = length(var.deploy_parameters) == 0 ? {} : { SECRET_VARIABLES = jsonencode({ for kind, from in var.deploy_parameters : kind => from.keys }) }

  # What every container has: no root, no writable disk but /tmp, an init that passes signals on and buries the dead.
  hardened = {
    image                  = var.image
    essential              = true
    user                   = "10001:10001"
    privileged             = false
    readonlyRootFilesystem = true
    linuxParameters        = { initProcessEnabled = true }
    mountPoints            = [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }]
    portMappings           = []
    systemControls         = []
    volumesFrom            = []
  }
}

resource "aws_ecs_task_definition" "worker" {
  for_each = var.groups

  family                   = "${var.prefix}-worker-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.cpu
  memory                   = each.value.memory_mb
  execution_role_arn       = aws_iam_role.execution["worker"].arn
  task_role_arn            = aws_iam_role.worker.arn
  skip_destroy             = true

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  # Fargate has no tmpfs: a volume of the task's own disk, gone with the task.
  volume {
    name = "tmp"
  }

  container_definitions = jsonencode([merge(local.hardened, {
    name        = "worker"
    command     = ["worker", "run"]
    cpu         = each.value.cpu
    memory      = each.value.memory_mb
    stopTimeout = local.stop_timeout_seconds
    environment = [for name, value in local.worker_environment[each.key] : { name = name, value = value }]
    secrets = concat(
      [for name, from in var.secrets : { name = name, valueFrom = "${from.secret_arn}:${from.key}::" }],
      [for kind, from in var.parameters : { name = "SECRET_VARIABLES_${upper(kind)}", valueFrom = from.arn }],
    )
    healthCheck = {
      command     = ["CMD", "python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:${local.health_port}/health/live', timeout=4)"]
      interval    = 15
      timeout     = 5
      retries     = 3
      startPeriod = 60
    }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.worker.name
        awslogs-region        = local.region
        awslogs-stream-prefix = each.key
        # A slow log service must not stop the worker; what does not fit into the buffer is lost.
        mode            = "non-blocking"
        max-buffer-size = "4m"
      }
    }
  })])
}

resource "aws_ecs_task_definition" "deploy" {
  family                   = "${var.prefix}-deploy"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 512
  memory                   = 1024
  execution_role_arn       = aws_iam_role.execution["deploy"].arn
  task_role_arn            = aws_iam_role.deploy.arn
  skip_destroy             = true

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  volume {
    name = "tmp"
  }

  container_definitions = jsonencode([merge(local.hardened, {
    name        = "deploy"
    command     = ["deploy", "run"]
    cpu         = 512
    memory      = 1024
    stopTimeout = local.stop_timeout_seconds
    environment = [for name, value in merge(var.environment, local.deploy_unpacked, var.deploy_environment) : { name = name, value = value }]
    secrets = concat(
      [for name, from in var.deploy_secrets : { name = name, valueFrom = "${from.secret_arn}:${from.key}::" }],
      [for kind, from in var.deploy_parameters : { name = "SECRET_VARIABLES_${upper(kind)}", valueFrom = from.arn }],
    )
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.deploy.name
        awslogs-region        = local.region
        awslogs-stream-prefix = "deploy"
        # Of this one every line is wanted, and it may wait.
        mode = "blocking"
      }
    }
  })])
}
