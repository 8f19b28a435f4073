# Every part at its loosest, for the policy scanner alone: what only an environment to try things in does without (a key,
# protection, long logs, two zones) is looked at with it. Nobody plans or applies this.

module "network" {
  source                      = "../../modules/network"
  prefix                      = "o"
  interface_endpoints_enabled = true
  flow_logs_enabled           = true
  log_retention_days          = 7
  kms_key_arn                 = null
  egress                      = "nat"
}
module "gateway" {
  source             = "../../modules/gateway"
  prefix             = "o"
  routes             = [{ method = "POST", path = "/x", function = "orders", auth = "none" }]
  functions          = { api = { invoke_arn = "a", function_name = "b", alias_name = "live", serves = ["orders"] } }
  kms_key_arn        = null
  log_retention_days = 7
}
module "function" {
  source                 = "../../modules/function"
  prefix                 = "o"
  name                   = "api"
  serves                 = ["orders"]
  artifact_bucket        = "b"
  artifact_key           = "k.zip"
  artifact_sha256_base64 = "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="
  kms_key_arn            = null
  reserved_concurrency   = null
  vpc                    = null
  log_retention_days     = 7
  tracing_enabled        = false
}
module "worker" {
  source                     = "../../modules/worker"
  prefix                     = "o"
  image                      = "i:1"
  groups                     = { all = { queues = ["orders"], cpu = 256, memory_mb = 512, min_tasks = 1, max_tasks = 2, spot = false } }
  deploy_writes_secret_arn   = "arn:x"
  bucket_arn                 = "arn:b"
  vpc_id                     = "vpc-1"
  subnet_ids                 = ["s"]
  assign_public_ip           = true
  database_security_group_id = "sg"
  metrics_namespace          = "o"
  container_insights_enabled = false
  log_retention_days         = 7
  kms_key_arn                = null
  python                     = "p"
}
module "storage" {
  source      = "../../modules/storage"
  prefix      = "o"
  kms_key_arn = null
}
module "secrets" {
  source      = "../../modules/secrets"
  path        = "o/dev"
  kms_key_arn = null
}
module "parameters" {
  source      = "../../modules/secrets"
  path        = "o/dev"
  store       = "parameter_store"
  kms_key_arn = null
}
module "registry" {
  source      = "../../modules/registry"
  name        = "o"
  kms_key_arn = null
}
module "aurora" {
  source                      = "../../modules/database"
  prefix                      = "o"
  engine                      = "aurora-mysql"
  vpc_id                      = "v"
  subnet_ids                  = ["s"]
  client_security_group_id    = "sg"
  deletion_protection         = false
  detailed_monitoring_enabled = false
  log_retention_days          = 7
  kms_key_arn                 = null
  multi_zone                  = false
}
module "mariadb" {
  source                      = "../../modules/database"
  prefix                      = "o"
  engine                      = "mariadb"
  vpc_id                      = "v"
  subnet_ids                  = ["s"]
  client_security_group_id    = "sg"
  deletion_protection         = false
  detailed_monitoring_enabled = false
  log_retention_days          = 7
  kms_key_arn                 = null
  multi_zone                  = false
}
module "observability" {
  source            = "../../modules/observability"
  prefix            = "o"
  api_id            = "a"
  function_names    = { api = "o-api" }
  cluster_name      = "o"
  services          = { all = { name = "o", arn = "arn:o", min_tasks = 1 } }
  queues            = ["orders"]
  metrics_namespace = "o"
  database          = { engine = "mariadb", identifier = "o", max_capacity_acu = 1, storage_gb = 20 }
  kms_key_arn       = null
}
module "apply" {
  source              = "../../modules/deploy_role"
  name                = "o"
  access              = "apply"
  environment         = "dev"
  oidc_provider_arn   = "arn:o"
  subjects            = ["repo:a/b:environment:dev"]
  state_bucket_arn    = "arn:s"
  artifact_bucket_arn = "arn:a"
  repository_arns     = ["arn:r"]
}
