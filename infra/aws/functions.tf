# The release's zip as `make publish` left it: its checksum, and what it was built for.
data "aws_s3_object" "functions" {
  bucket        = var.artifact_bucket
  key           = "functions/${var.release}/functions.zip"
  checksum_mode = "ENABLED"
}

locals {
  artifact = {
    sha256       = try(coalesce(data.aws_s3_object.functions.checksum_sha256, lookup(data.aws_s3_object.functions.metadata, "sha256", null)), "")
    runtime      = lookup(data.aws_s3_object.functions.metadata, "runtime", "python3.13")
    architecture = lookup(data.aws_s3_object.functions.metadata, "architecture", "arm64")
  }

  # What every function of the release is given alike, the waker too.
  every_function = {
    artifact_bucket          = var.artifact_bucket
    artifact_key             = data.aws_s3_object.functions.key
    artifact_sha256_base64   = local.artifact.sha256
    runtime                  = local.artifact.runtime
    architecture             = local.artifact.architecture
    secret_kms_key_arns      = local.secret_kms_key_arns
    kms_key_arn              = local.kms_key_arn
    permissions_boundary_arn = var.permissions_boundary_arn
    log_retention_days       = var.log_retention_days
    vpc                      = var.temporal.private ? { subnet_ids = module.network.private_subnet_ids, security_group_ids = aws_security_group.functions[*].id } : null
  }

  # A function reads the secrets of what it serves: who forges webhooks through one cannot read the keys of the other.
  # "health" and "description" serve the open routes, and need none.
  function_secrets = { for name, function in var.functions : name => concat(
    [for secret in ["api"] : local.secret_arns[secret] if length(setintersection(function.serves, ["orders", "users", "reconciliations"])) > 0],
    [for secret in ["webhooks"] : local.secret_arns[secret] if contains(function.serves, "webhooks")],
    [for secret in ["temporal"] : local.secret_arns[secret] if length(local.temporal_secret_keys) > 0],
    [for secret in ["encryption"] : local.secret_arns[secret] if length(local.encryption_secret_keys) > 0],
  ) }
}

module "function" {
  source   = "./modules/function"
  for_each = var.functions

  prefix = local.prefix
  name   = each.key
  serves = each.value.serves
  environment = merge(var.functions_settings, local.temporal_environment, local.encryption_environment, {
    ORDERS_ENV = "production"
    # Operators are checked by the gateway, which tells the function who it was.
    ORDERS_API__OPERATOR_AUTH = "gateway"
  })
  secret_arns             = local.function_secrets[each.key]
  memory_mb               = each.value.memory_mb
  reserved_concurrency    = each.value.reserved_concurrency
  provisioned_concurrency = each.value.provisioned_concurrency
  snap_start_enabled      = each.value.snap_start

  artifact_bucket          = local.every_function.artifact_bucket
  artifact_key             = local.every_function.artifact_key
  artifact_sha256_base64   = local.every_function.artifact_sha256_base64
  runtime                  = local.every_function.runtime
  architecture             = local.every_function.architecture
  secret_kms_key_arns      = local.every_function.secret_kms_key_arns
  kms_key_arn              = local.every_function.kms_key_arn
  permissions_boundary_arn = local.every_function.permissions_boundary_arn
  log_retention_days       = local.every_function.log_retention_days
  vpc                      = local.every_function.vpc
}

# Only for a Temporal server that has no public address: otherwise a VPC costs a NAT gateway and gives nothing.
resource "aws_security_group" "functions" {
  # checkov:skip=CKV2_AWS_5:it is attached to the functions above, when Temporal is private
  count = var.temporal.private ? 1 : 0

  name        = "${local.prefix}-functions"
  description = "Functions of ${local.prefix}: they call, nobody calls them through the VPC"
  vpc_id      = module.network.vpc_id
  tags        = { Name = "${local.prefix}-functions" }
}

resource "aws_vpc_security_group_egress_rule" "functions" {
  for_each = { for port, what in { "443" = "HTTPS: secrets and traces", (local.temporal_port) = "Temporal" } : port => what if var.temporal.private }

  security_group_id = aws_security_group.functions[0].id
  description       = each.value
  # Endpoints of AWS and Temporal have no fixed addresses to narrow this to.
  cidr_ipv4   = "0.0.0.0/0"
  ip_protocol = "tcp"
  from_port   = tonumber(each.key)
  to_port     = tonumber(each.key)
}

module "gateway" {
  source = "./modules/gateway"

  prefix = local.prefix
  routes = jsondecode(file("${path.module}/../../functions/routes.json"))
  functions = { for name, function in var.functions : name => {
    invoke_arn    = module.function[name].alias_invoke_arn
    function_name = module.function[name].function_name
    alias_name    = module.function[name].alias_name
    serves        = function.serves
  } }
  operator_auth      = var.operator_auth
  throttling         = var.throttling
  custom_domain      = var.custom_domain
  kms_key_arn        = local.kms_key_arn
  log_retention_days = var.log_retention_days
}
