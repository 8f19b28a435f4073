# The whole system in one environment. This file: the names, and what must exist before (see bootstrap/). The parts:
#   foundation.tf   key, network, database, object store
#   functions.tf    the Lambda functions and the HTTP API in front of them
#   worker.tf       the ECS services, the deploy task that runs before them, and who wakes services that may sleep
#   watching.tf     alarms, topic, dashboard

data "aws_region" "current" {}
data "aws_partition" "current" {}
data "aws_caller_identity" "current" {}

locals {
  prefix = "${var.name}-${var.environment}"

  temporal_host = split(":", var.temporal.address)[0]
  temporal_port = split(":", var.temporal.address)[1]
  temporal_tls  = coalesce(var.temporal.tls, var.temporal.auth != "none")
  temporal_environment = merge(
    {
      ORDERS_TEMPORAL__ADDRESS   = var.temporal.address
      ORDERS_TEMPORAL__NAMESPACE = var.temporal.namespace
      ORDERS_TEMPORAL__TLS       = tostring(local.temporal_tls)
    },
    var.temporal.server_name == null ? {} : { ORDERS_TEMPORAL__SERVER_NAME = var.temporal.server_name },
  )
  # What is sent to Temporal is sealed; where it is not, that is said, or nothing would start.
  encryption_environment = var.payload_encryption_enabled ? {} : { ORDERS_ENCRYPTION__ENABLED = "false" }
  encryption_secret_keys = var.payload_encryption_enabled ? ["ORDERS_ENCRYPTION__KEYS"] : []
  temporal_secret_keys = {
    api_key = ["ORDERS_TEMPORAL__API_KEY"]
    mtls    = ["ORDERS_TEMPORAL__CLIENT_CERT", "ORDERS_TEMPORAL__CLIENT_KEY"]
    none    = []
  }[var.temporal.auth]
}

# The containers of secrets, which the bootstrap made and `orders secrets put` filled. Only their names and ARNs pass
# through here: a value that Terraform read would stand in its state.
data "aws_secretsmanager_secret" "these" {
  for_each = local.in_parameters ? toset([]) : local.secret_kinds

  name = "${var.name}/${var.environment}/${each.key}"
}

# Parameters are not looked up, as that would read their values: their ARNs are their names', and their key the bootstrap's.
data "aws_kms_alias" "secrets" {
  count = local.in_parameters ? 1 : 0

  name = "alias/${var.name}-bootstrap"
}

locals {
  in_parameters   = var.secret_store == "parameter_store"
  secret_kinds    = toset(["api", "database", "encryption", "temporal", "webhooks", "worker"])
  parameter_names = { for kind in local.secret_kinds : kind => "/${var.name}/${var.environment}/${kind}" }
  parameters      = "arn:${data.aws_partition.current.partition}:ssm:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:parameter"

  secret_arns         = local.in_parameters ? { for kind, name in local.parameter_names : kind => "${local.parameters}${name}" } : { for kind, secret in data.aws_secretsmanager_secret.these : kind => secret.arn }
  secret_kms_key_arns = local.in_parameters ? data.aws_kms_alias.secrets[*].target_key_arn : distinct(compact([for secret in data.aws_secretsmanager_secret.these : secret.kms_key_id]))
}
