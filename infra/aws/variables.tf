# --- What and where

variable "name" {
  description = "Name of the system; with the environment it leads every name."
  type        = string
  default     = "orders"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,11}$", var.name))
    error_message = "name is 2 to 12 small letters and digits, beginning with a letter."
  }
}

variable "environment" {
  description = "Name of the environment, for example dev or prod; the bootstrap must know it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,9}$", var.environment))
    error_message = "environment is 2 to 10 small letters and digits, beginning with a letter."
  }
}

variable "release" {
  description = "What runs: the tag of the worker's image and the folder of the functions' zip, as `make publish` named them. Upgrade and rollback are this variable."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", var.release)) && var.release != "latest"
    error_message = "release is a name that was published (letters, digits, dot, dash, underscore), and not \"latest\", which means another thing tomorrow."
  }
}

variable "artifact_bucket" {
  description = "The bucket of releases: output artifact_bucket of the bootstrap."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.artifact_bucket))
    error_message = "artifact_bucket is the name of a bucket."
  }
}

variable "worker_repository_url" {
  description = "The registry of the worker's image, without a tag: output worker_repository_url of the bootstrap."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9.-]+(:[0-9]+)?/[a-z0-9._/-]+$", var.worker_repository_url))
    error_message = "worker_repository_url is host/path, without a scheme and without a tag."
  }
}

# --- Temporal

variable "temporal" {
  description = <<-DESCRIPTION
    How to reach Temporal: Temporal Cloud, a cluster of your own or a dev server alike.
    address: host:port. namespace. auth: "api_key", "mtls" or "none"; the key or certificate is in the secret
    <name>/<environment>/temporal. tls: null means as auth needs. server_name: when the certificate names another host.
    private: true when the address can be reached from the VPC only (PrivateLink, own cluster); functions then join it.
  DESCRIPTION
  type = object({
    address     = string
    namespace   = string
    auth        = string
    tls         = optional(bool)
    server_name = optional(string)
    private     = optional(bool, false)
  })
  nullable = false

  validation {
    condition     = can(regex("^[A-Za-z0-9.-]+:[0-9]{1,5}$", var.temporal.address))
    error_message = "temporal.address is host:port, for example orders.a1b2c.tmprl.cloud:7233."
  }

  validation {
    condition     = length(var.temporal.namespace) > 0
    error_message = "temporal.namespace is not empty."
  }

  validation {
    condition     = contains(["api_key", "mtls", "none"], var.temporal.auth)
    error_message = "temporal.auth is \"api_key\", \"mtls\" or \"none\"."
  }

  validation {
    condition     = var.temporal.auth == "none" || var.temporal.tls != false
    error_message = "A key or a certificate is not shown to a server without TLS."
  }
}

variable "payload_encryption_enabled" {
  description = "Whether what is sent to Temporal is encrypted, with the keys in the secret <name>/<environment>/encryption (orders keys). False only where it never was: what was sealed is opened with these keys."
  type        = bool
  default     = true
  nullable    = false
}

variable "secret_store" {
  description = "Where this environment's secrets are, as the bootstrap was told (secret_stores): \"secrets_manager\", or \"parameter_store\", which costs nothing, takes 4096 bytes each and gives nothing deleted back."
  type        = string
  default     = "secrets_manager"
  nullable    = false

  validation {
    condition     = contains(["secrets_manager", "parameter_store"], var.secret_store)
    error_message = "secret_store is \"secrets_manager\" or \"parameter_store\"."
  }
}

# --- Network

variable "network" {
  description = <<-DESCRIPTION
    The network; see modules/network. mode: "create" or "existing" (with vpc_id and the three lists of subnet ids).
    egress: "public_ip" (cheapest), "nat" or "nat_per_zone". interface_endpoints_enabled, flow_logs_enabled: switches.
  DESCRIPTION
  type = object({
    mode                        = optional(string, "create")
    vpc_id                      = optional(string)
    public_subnet_ids           = optional(list(string), [])
    private_subnet_ids          = optional(list(string), [])
    database_subnet_ids         = optional(list(string), [])
    cidr                        = optional(string, "10.40.0.0/16")
    zone_count                  = optional(number, 2)
    egress                      = optional(string, "nat")
    interface_endpoints_enabled = optional(bool, false)
    flow_logs_enabled           = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = !var.temporal.private || var.network.egress != "public_ip"
    error_message = "With a private Temporal the functions are in the VPC, where they get no public address: egress must be \"nat\" or \"nat_per_zone\"."
  }
}

# --- Database

variable "database" {
  description = <<-DESCRIPTION
    The database; see modules/database. engine: "aurora-mysql" (min_capacity_acu, max_capacity_acu) or "mariadb"
    (instance_class, storage_gb, max_storage_gb). snapshot_identifier restores. final_snapshot_enabled: whether one stays
    when the environment is destroyed.
  DESCRIPTION
  type = object({
    engine                      = optional(string, "aurora-mysql")
    engine_version              = optional(string)
    name                        = optional(string, "orders")
    min_capacity_acu            = optional(number, 0.5)
    max_capacity_acu            = optional(number, 4)
    instance_class              = optional(string, "db.t4g.micro")
    storage_gb                  = optional(number, 20)
    max_storage_gb              = optional(number, 100)
    multi_zone                  = optional(bool, true)
    backup_retention_days       = optional(number, 7)
    final_snapshot_enabled      = optional(bool, true)
    snapshot_identifier         = optional(string)
    detailed_monitoring_enabled = optional(bool, false)
  })
  default  = {}
  nullable = false
}

# --- Worker

variable "worker_groups" {
  description = <<-DESCRIPTION
    One ECS service each: the task queues it polls, CPU units (1024 are a vCPU), memory in MB, from how many to how many
    tasks, and whether tasks beyond the first run on spare capacity (spot).
  DESCRIPTION
  type = map(object({
    queues    = list(string)
    cpu       = number
    memory_mb = number
    min_tasks = number
    max_tasks = number
    spot      = optional(bool, false)
  }))
  default = {
    all = { queues = ["orders", "events", "users", "outbound", "reconciliation"], cpu = 512, memory_mb = 1024, min_tasks = 1, max_tasks = 4 }
  }
  nullable = false

  # A queue that nobody polls is work that nobody does, and no alarm sees it: the backlog of such a queue is not counted.
  validation {
    condition     = toset(flatten([for group in values(var.worker_groups) : group.queues])) == toset(["orders", "events", "users", "outbound", "reconciliation"])
    error_message = "The groups together poll the queues orders, events, users, outbound and reconciliation, each of them, and no other."
  }
}

variable "worker_settings" {
  description = "Further settings of the worker as variables ORDERS_<SECTION>__<KEY> (see settings.toml), without secrets."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key in keys(var.worker_settings) : can(regex("^ORDERS_[A-Z0-9]+(__[A-Z0-9_]+)+$", key))])
    error_message = "The keys of worker_settings are ORDERS_<SECTION>__<KEY>."
  }

  validation {
    condition     = alltrue([for key, value in var.worker_settings : !can(regex("(KEY|KEYS|TOKEN|TOKENS|SECRET|SECRETS|PASSWORD|CERT)$", key)) && !can(regex("://[^/@]*:[^/@]*@", value))])
    error_message = "worker_settings looks like it holds a secret: those are put with `orders secrets put`, not through Terraform, whose state would keep them."
  }

  validation {
    condition     = alltrue([for key in keys(var.worker_settings) : !can(regex("^ORDERS_(ENV$|TEMPORAL__|DATABASE__URL$|STORE__|DEPLOY__|WORKER__(QUEUES|GRACE_SECONDS|HEALTH_HOST|HEALTH_PORT)$)", key))])
    error_message = "worker_settings sets what other variables decide: temporal, worker_groups, and what follows from the deployment itself."
  }
}

variable "worker_secret_keys" {
  description = "Keys of the secret <name>/<environment>/worker; each becomes a variable of the worker. All of them must have a value before a task can start."
  type        = list(string)
  default = [
    "ORDERS_USERS__TOKEN_KEY",
    "ORDERS_PROVIDER__API_KEY",
    "ORDERS_SHOP__ACCESS_TOKEN",
    "ORDERS_WAREHOUSE__SECRET",
    "ORDERS_WAREHOUSE__TOKEN",
  ]
  nullable = false

  validation {
    condition     = alltrue([for key in var.worker_secret_keys : can(regex("^ORDERS_[A-Z0-9_]+$", key))]) && length(distinct(var.worker_secret_keys)) == length(var.worker_secret_keys)
    error_message = "worker_secret_keys are names ORDERS_..., none twice."
  }
}

variable "worker_versions_enabled" {
  description = "Whether workers announce the release to Temporal (Worker Deployments) and only the current version gets work; a release makes itself current once it polls. The server must support it."
  type        = bool
  default     = false
  nullable    = false
}

variable "container_insights_enabled" {
  description = "Container Insights of the ECS cluster: figures per task, at a price per figure."
  type        = bool
  default     = false
  nullable    = false
}

variable "sleep" {
  description = "Lets the worker's services sleep: after_minutes (5 to 1440) with nothing to do they have no task, and within a minute or two of work they have their fewest again; see modules/waker. Null: they never sleep."
  type        = object({ after_minutes = number })
  default     = null

  validation {
    condition     = var.sleep == null || try(var.sleep.after_minutes >= 5 && var.sleep.after_minutes <= 1440 && floor(var.sleep.after_minutes) == var.sleep.after_minutes, false)
    error_message = "sleep.after_minutes is a whole number from 5 to 1440."
  }
}

# --- Functions and their edge

variable "functions" {
  description = <<-DESCRIPTION
    The Lambda functions: which functions of functions/routes.json each serves, its memory in MB, its reserved concurrency
    (null: none), provisioned concurrency (0: none) and SnapStart.
  DESCRIPTION
  type = map(object({
    serves                  = list(string)
    memory_mb               = optional(number, 512)
    reserved_concurrency    = optional(number)
    provisioned_concurrency = optional(number, 0)
    snap_start              = optional(bool, false)
  }))
  default = {
    api      = { serves = ["orders", "users", "reconciliations", "health", "description"] }
    webhooks = { serves = ["webhooks"] }
  }
  nullable = false

  validation {
    condition     = length(flatten([for function in values(var.functions) : function.serves])) == length(distinct(flatten([for function in values(var.functions) : function.serves])))
    error_message = "Each function of the route table is served by one Lambda function."
  }

  validation {
    condition     = alltrue([for name in keys(var.functions) : can(regex("^[a-z][a-z0-9-]{0,19}$", name)) && name != "waker"])
    error_message = "The name of a function is up to 20 small letters, digits and hyphens, and not \"waker\", which is another's."
  }
}

variable "functions_settings" {
  description = "Further settings of the functions as variables ORDERS_<SECTION>__<KEY> (see settings.toml), without secrets."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key in keys(var.functions_settings) : can(regex("^ORDERS_[A-Z0-9]+(__[A-Z0-9_]+)+$", key))])
    error_message = "The keys of functions_settings are ORDERS_<SECTION>__<KEY>."
  }

  validation {
    condition     = alltrue([for key, value in var.functions_settings : !can(regex("(KEY|KEYS|TOKEN|TOKENS|SECRET|SECRETS|PASSWORD|CERT)$", key)) && !can(regex("://[^/@]*:[^/@]*@", value))])
    error_message = "functions_settings looks like it holds a secret: those are put with `orders secrets put`, not through Terraform, whose state would keep them."
  }

  validation {
    condition     = alltrue([for key in keys(var.functions_settings) : !can(regex("^ORDERS_(ENV$|TEMPORAL__|API__(FUNCTIONS|OPERATOR_AUTH)$)", key))])
    error_message = "functions_settings sets what other variables decide: temporal, functions, operator_auth."
  }
}

variable "operator_auth" {
  description = "Who may call operator routes: \"iam\" (signed requests of principals with execute-api:Invoke) or \"jwt\" (tokens of an issuer for an audience, with all the scopes)."
  type = object({
    type     = string
    issuer   = optional(string)
    audience = optional(list(string), [])
    scopes   = optional(list(string), [])
  })
  default  = { type = "iam" }
  nullable = false

  validation {
    condition     = contains(["iam", "jwt"], var.operator_auth.type)
    error_message = "operator_auth.type is \"iam\" or \"jwt\"."
  }

  validation {
    condition     = var.operator_auth.type != "jwt" || (can(regex("^https://", var.operator_auth.issuer)) && length(var.operator_auth.audience) > 0)
    error_message = "With \"jwt\", operator_auth names an issuer (https://...) and an audience."
  }
}

variable "throttling" {
  description = "Requests a second that a route takes (rate_per_second) and how many at once (burst) before the API answers 429; routes overrides it by route key, as \"POST /webhooks/{source}\"."
  type = object({
    rate_per_second = optional(number, 50)
    burst           = optional(number, 100)
    routes          = optional(map(object({ rate_per_second = number, burst = number })), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.throttling.rate_per_second > 0 && var.throttling.burst > 0
    error_message = "rate_per_second and burst are above 0."
  }
}

variable "custom_domain" {
  description = "A name of your own for the API, in a Route 53 zone of this account; null leaves it with AWS's."
  type        = object({ name = string, zone_id = string })
  default     = null
}

# --- Keeping and watching

variable "alarm_email" {
  description = "Address that is written to when an alarm begins or ends; it must confirm once. Null: subscribe something else to the topic (output alarm_topic_arn), or have no alarms (watching)."
  type        = string
  default     = null
}

variable "watching" {
  description = "How much is watched: alarms \"all\", \"essential\" (callers are turned away, work is not done) or \"none\" (where nobody reads them), and whether there is a dashboard. Both cost by the month, used or not."
  type = object({
    alarms            = optional(string, "all")
    dashboard_enabled = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["all", "essential", "none"], var.watching.alarms)
    error_message = "watching.alarms is \"all\", \"essential\" or \"none\"."
  }
}

variable "log_retention_days" {
  description = "How long every log is kept, in days."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is one of those that CloudWatch Logs has: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, ..."
  }
}

variable "run_retention_days" {
  description = "How long what a reconciliation was gathered with is kept, in days: while it is there the run can be done again. 0: for good."
  type        = number
  default     = 400
  nullable    = false
}

variable "customer_managed_key" {
  description = "Whether database, files, logs and alarms are encrypted with a key of this environment (about a dollar a month) instead of AWS's own."
  type        = bool
  default     = true
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether `terraform destroy` is refused: the database cannot be deleted, and the bucket not while it holds anything."
  type        = bool
  default     = true
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Policy that bounds every role: output boundary_arns of the bootstrap, where the pipeline's role applies, which may make no other roles. Null: none."
  type        = string
  default     = null
}

# --- The deploy task

variable "python" {
  description = "The Python that runs `-m infra.deploy run-task` where Terraform runs; null takes the project's virtual environment, as `make setup` makes it."
  type        = string
  default     = null
}

variable "deploy_task_enabled" {
  description = "Whether apply runs the deploy task (schema, search attributes, schedules) before it changes a service. Only tests of plans switch it off."
  type        = bool
  default     = true
  nullable    = false
}
