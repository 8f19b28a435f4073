locals {
  queues = sort(distinct(flatten([for group in values(var.worker_groups) : group.queues])))
  # Each task has a pool of connections, and a deployment runs old and new tasks side by side.
  most_tasks     = sum([for group in values(var.worker_groups) : group.max_tasks])
  pool_size      = tonumber(lookup(var.worker_settings, "ORDERS_DATABASE__POOL_SIZE", "12"))
  connections_of = { "aurora-mysql" = 2 * local.most_tasks * local.pool_size + 10, "mariadb" = min(2 * local.most_tasks * local.pool_size + 10, 60) }
}

module "observability" {
  source = "./modules/observability"

  prefix         = local.prefix
  alarm_email    = var.alarm_email
  kms_key_arn    = local.kms_key_arn
  api_id         = module.gateway.api_id
  function_names = { for name, function in module.function : name => function.function_name }
  cluster_name   = module.worker.cluster_name
  services = { for name, group in var.worker_groups : name => {
    name      = module.worker.service_names[name]
    arn       = module.worker.service_arns[name]
    min_tasks = group.min_tasks
  } }
  waker_function_name = one(module.waker[*].function_name)
  alarms              = var.watching.alarms
  dashboard_enabled   = var.watching.dashboard_enabled
  queues              = local.queues
  shops               = [lookup(var.worker_settings, "ORDERS_SHOP__NAME", "main")]
  metrics_namespace   = local.prefix
  max_connections     = local.connections_of[var.database.engine]
  database = {
    engine           = var.database.engine
    identifier       = module.database.identifier
    max_capacity_acu = var.database.max_capacity_acu
    storage_gb       = var.database.storage_gb
  }
}
