variable "prefix" {
  description = "Leads every name: \"<name>-<environment>\". The API itself has this name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.prefix))
    error_message = "prefix is 3 to 32 small letters, digits and hyphens."
  }
}

variable "routes" {
  description = "The route table, functions/routes.json decoded. A route with operator = true is opened by the gateway's authorizer, every other one by the function behind it (`auth` says how)."
  type = list(object({
    method   = string
    path     = string
    function = string
    auth     = string
    operator = optional(bool, false)
  }))
  nullable = false

  validation {
    condition     = length(var.routes) > 0 && length(var.routes) <= 300
    error_message = "There is one route at least, and 300 (what API Gateway takes) at most."
  }

  validation {
    condition     = alltrue([for route in var.routes : contains(["GET", "POST", "PUT", "PATCH", "DELETE"], route.method)])
    error_message = "A route names its method, in capitals; ANY would open what nobody wrote a function for."
  }

  validation {
    condition     = alltrue([for route in var.routes : can(regex("^(/([A-Za-z0-9._~-]+|\\{[a-z][a-z0-9_]*\\}))+$", route.path))])
    error_message = "A path is made of words and {parameters}; a greedy one ({proxy+}) would be a catch-all."
  }

  validation {
    condition     = length(distinct([for route in var.routes : "${route.method} ${route.path}"])) == length(var.routes)
    error_message = "A method and path stand in the route table once."
  }

  validation {
    condition     = alltrue([for route in var.routes : contains(["bearer", "signature", "token", "none"], route.auth)])
    error_message = "auth of a route is \"bearer\", \"signature\", \"token\" or \"none\"."
  }
}

variable "functions" {
  description = "The Lambda functions behind the routes: where to invoke the alias, its names, and which functions of the route table it serves."
  type = map(object({
    invoke_arn    = string
    function_name = string
    alias_name    = string
    serves        = list(string)
  }))
  nullable = false

  validation {
    condition = alltrue([for route in var.routes :
      length([for each in values(var.functions) : each if contains(each.serves, route.function)]) == 1
    ])
    error_message = "Every function of the route table is served by exactly one Lambda function."
  }
}

variable "operator_auth" {
  description = "Who opens operators' routes: \"iam\" (requests signed by AWS principals who may invoke operator_arns) or \"jwt\" (tokens of `issuer` for one of `audience`, with one of `scopes` where there are any)."
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
    condition     = var.operator_auth.type != "jwt" || (can(regex("^https://[^ ]+$", var.operator_auth.issuer)) && length(var.operator_auth.audience) > 0)
    error_message = "operator_auth of type \"jwt\" has an https issuer and at least one audience: a token made for somebody else must not open a route."
  }
}

variable "throttling" {
  description = "Requests per second and burst over which the gateway answers 429: of every route together with its callers, and of single routes by their key, \"POST /orders\"."
  type = object({
    rate_per_second = optional(number, 50)
    burst           = optional(number, 100)
    routes = optional(map(object({
      rate_per_second = number
      burst           = number
    })), {})
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([for each in concat([var.throttling], values(var.throttling.routes)) :
      each.rate_per_second >= 1 && each.rate_per_second <= 10000 && each.burst >= 1 && each.burst <= 5000
    ])
    error_message = "Rates are 1 to 10000 per second, bursts 1 to 5000 (an AWS account has no more)."
  }

  validation {
    condition     = alltrue([for key in keys(var.throttling.routes) : contains([for route in var.routes : "${route.method} ${route.path}"], key)])
    error_message = "throttling.routes names a route that is not in the route table; keys look like \"POST /orders\"."
  }
}

variable "custom_domain" {
  description = "A name of your own instead of AWS's: `name`, and either `zone_id` (a Route 53 zone: certificate and records are made) or `certificate_arn` (an issued certificate; point the name at the output custom_domain_target yourself), or both. Null: AWS's name."
  type = object({
    name            = string
    zone_id         = optional(string)
    certificate_arn = optional(string)
  })
  default = null

  validation {
    condition     = var.custom_domain == null || can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.custom_domain.name))
    error_message = "custom_domain.name is a full host name in small letters: \"api.example.com\"."
  }

  validation {
    condition     = var.custom_domain == null || try(var.custom_domain.zone_id, null) != null || try(var.custom_domain.certificate_arn, null) != null
    error_message = "custom_domain has a zone_id, a certificate_arn or both."
  }
}

variable "integration_timeout_seconds" {
  description = "How long the gateway waits for a function, in seconds; longer than the function's own time-out, so that callers read the function's answer. 30 is AWS's most."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.integration_timeout_seconds >= 1 && var.integration_timeout_seconds <= 30
    error_message = "integration_timeout_seconds is 1 to 30: API Gateway waits no longer."
  }
}

variable "detailed_metrics_enabled" {
  description = "Whether CloudWatch counts per route, at the price of a metric each, or for the API as a whole."
  type        = bool
  default     = false
  nullable    = false
}

variable "log_retention_days" {
  description = "How long the access log is kept, in days."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is a number of days that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827 and some more."
  }
}

variable "kms_key_arn" {
  description = "Key of the access log; null leaves it to CloudWatch's own encryption."
  type        = string
  default     = null
}
