locals {
  # From the URL, so that any registry can be named; only one in ECR needs a right to pull.
  ecr = try(regex("^(?P<account>[0-9]{12})\\.dkr\\.ecr\\.(?P<region>[a-z0-9-]+)\\.amazonaws\\.com(?:\\.cn)?/(?P<name>.+)$", var.worker_repository_url), null)

  # What each program is given out of the secrets, by what they are called: variables by their names.
  temporal_and_payloads = { for kind, keys in { temporal = local.temporal_secret_keys, encryption = local.encryption_secret_keys } : kind => keys if length(keys) > 0 }
  worker_given          = merge({ for kind, keys in { worker = var.worker_secret_keys } : kind => keys if length(keys) > 0 }, local.temporal_and_payloads, { database = ["ORDERS_DATABASE__URL"] })
  worker_secrets        = merge([for kind, keys in local.worker_given : { for key in keys : key => { secret_arn = local.secret_arns[kind], key = key } }]...)
  deploy_secrets        = merge([for kind, keys in local.temporal_and_payloads : { for key in keys : key => { secret_arn = local.secret_arns[kind], key = key } }]...)
  worker_parameters     = { for kind, keys in local.worker_given : kind => { arn = local.secret_arns[kind], keys = keys } }
  deploy_parameters     = { for kind, keys in local.temporal_and_payloads : kind => { arn = local.secret_arns[kind], keys = keys } }

  # A database that was paused takes half a minute to answer, and more when it was for a day; it either takes the connection
  # late, or takes it and is silent for as long.
  waits_for_database = var.database.engine == "aurora-mysql" && var.database.min_capacity_acu == 0 ? {
    ORDERS_DATABASE__CONNECT_TIMEOUT_SECONDS = "60"
    ORDERS_DATABASE__READ_TIMEOUT_SECONDS    = "60"
  } : {}

  # What a worker announces to Temporal; without it every worker gets every workflow.
  release_environment = var.worker_versions_enabled ? { ORDERS_WORKER__RELEASE = var.release } : {}

  mail_port = lookup(var.worker_settings, "ORDERS_MAIL__PORT", null)
}

module "worker" {
  source = "./modules/worker"

  prefix         = local.prefix
  image          = "${var.worker_repository_url}:${var.release}"
  repository_arn = local.ecr == null ? null : "arn:${data.aws_partition.current.partition}:ecr:${local.ecr.region}:${local.ecr.account}:repository/${local.ecr.name}"
  groups         = var.worker_groups
  # A release is built for one processor, the zip and the image alike.
  cpu_architecture = local.artifact.architecture == "x86_64" ? "X86_64" : "ARM64"

  environment = merge(
    # Links in mails lead to the API, unless a setting says otherwise.
    {
      ORDERS_USERS__CONFIRM_URL = "${module.gateway.url}/users/{user_id}/confirm"
      ORDERS_USERS__ADDRESS_URL = "${module.gateway.url}/users/{user_id}/address/{change_id}/confirm"
    },
    local.waits_for_database,
    var.worker_settings,
    local.release_environment,
    local.temporal_environment,
    local.encryption_environment,
    {
      ORDERS_ENV                    = "production"
      ORDERS_DATABASE__TLS          = "true"
      ORDERS_DATABASE__CA_FILE      = "/etc/ssl/rds/global-bundle.pem"
      ORDERS_STORE__BUCKET          = module.storage.bucket_name
      ORDERS_METRICS__EMF_NAMESPACE = local.prefix
    },
  )
  # ECS picks a variable out of a secret, but hands over a parameter whole.
  secrets    = local.in_parameters ? {} : local.worker_secrets
  parameters = local.in_parameters ? local.worker_parameters : {}

  deploy_environment = {
    ORDERS_DEPLOY__DATABASE_HOST   = module.database.host
    ORDERS_DEPLOY__DATABASE_PORT   = tostring(module.database.port)
    ORDERS_DEPLOY__DATABASE_NAME   = module.database.database_name
    ORDERS_DEPLOY__DATABASE_SECRET = local.secret_arns["database"]
  }
  deploy_secrets = merge(local.in_parameters ? {} : local.deploy_secrets, {
    ORDERS_DEPLOY__DATABASE_MASTER_USER     = { secret_arn = module.database.master_secret_arn, key = "username" }
    ORDERS_DEPLOY__DATABASE_MASTER_PASSWORD = { secret_arn = module.database.master_secret_arn, key = "password" }
  })
  deploy_parameters        = local.in_parameters ? local.deploy_parameters : {}
  deploy_writes_secret_arn = local.secret_arns["database"]
  deploy_task_enabled      = var.deploy_task_enabled
  python                   = coalesce(var.python, abspath("${path.module}/../../.venv/bin/python"))

  vpc_id                     = module.network.vpc_id
  subnet_ids                 = module.network.task_subnet_ids
  assign_public_ip           = module.network.assign_public_ip
  database_security_group_id = module.database.security_group_id
  database_port              = module.database.port
  egress_ports = merge(
    { (local.temporal_port) = "Temporal" },
    local.mail_port == null ? {} : { (local.mail_port) = "The mail relay" },
  )

  bucket_arn                 = module.storage.bucket_arn
  kms_key_arn                = local.kms_key_arn
  secret_kms_key_arns        = local.secret_kms_key_arns
  metrics_namespace          = local.prefix
  container_insights_enabled = var.container_insights_enabled
  permissions_boundary_arn   = var.permissions_boundary_arn
  log_retention_days         = var.log_retention_days
}

# Where the worker may sleep: who wakes it. Of the same release, for it knows the same queues.
module "waker" {
  source = "./modules/waker"
  count  = var.sleep == null ? 0 : 1

  prefix        = local.prefix
  cluster_name  = module.worker.cluster_name
  after_minutes = var.sleep.after_minutes
  services = { for name, group in var.worker_groups : name => {
    name   = module.worker.service_names[name]
    arn    = module.worker.service_arns[name]
    queues = group.queues
    tasks  = group.min_tasks
  } }
  function = merge(local.every_function, {
    environment = local.temporal_environment
    secret_arns = [for secret in ["temporal"] : local.secret_arns[secret] if length(local.temporal_secret_keys) > 0]
  })
}
