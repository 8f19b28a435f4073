variable "prefix" {
  description = "Leads every name: \"<name>-<environment>\"."
  type        = string
  nullable    = false
}

variable "routes" {
  description = "The route table, as functions/routes.json has it: nothing else is reachable. An operator's route is closed to everybody whom operator_auth does not admit."
  type = list(object({
    method   = string
    path     = string
    function = string
    operator = optional(bool, false)
  }))
  nullable = false

  validation {
    condition     = length(var.routes) > 0 && length(distinct([for route in var.routes : "${route.method} ${route.path}"])) == length(var.routes)
    error_message = "There is one route at least, and none twice."
  }

  validation {
    condition     = alltrue([for route in var.routes : contains(["GET", "POST", "PUT", "PATCH", "DELETE"], route.method) && startswith(route.path, "/")])
    error_message = "A route has a method of HTTP and a path that begins with a slash; no catch-all."
  }
}

variable "functions" {
  description = "The Lambda functions behind the routes: what to call, its name and alias, and which functions of the route table it serves."
  type = map(object({
    invoke_arn    = string
    function_name = string
    alias_name    = string
    serves        = list(string)
  }))
  nullable = false

  validation {
    condition     = length(flatten([for each in values(var.functions) : each.serves])) == length(distinct(flatten([for each in values(var.functions) : each.serves])))
    error_message = "Two functions serve the same: a route must lead to one."
  }

  validation {
    condition     = length(setsubtract([for route in var.routes : route.function], flatten([for each in values(var.functions) : each.serves]))) == 0
    error_message = "There are routes that no function serves."
  }
}

variable "operator_auth" {
  description = "Who may use the operators' routes: type \"iam\" (a signed request of a principal with execute-api:Invoke) or \"jwt\" (a token of issuer for audience, with all the scopes)."
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
    condition     = var.operator_auth.type == "iam" || (can(regex("^https://", var.operator_auth.issuer)) && length(var.operator_auth.audience) > 0)
    error_message = "For \"jwt\" operator_auth names an issuer (https://...) and an audience."
  }
}

variable "throttling" {
  description = "Requests a second that a route takes (rate) and how many at once (burst); routes overrides it by route key, as \"POST /webhooks/{source}\". What is above gets 429."
  type = object({
    rate_per_second = optional(number, 50)
    burst           = optional(number, 100)
    routes          = optional(map(object({ rate_per_second = number, burst = number })), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for each in concat([var.throttling], values(var.throttling.routes)) : each.rate_per_second > 0 && each.burst >= 1])
    error_message = "Rates and bursts are above 0: 0 would shut the route."
  }

  validation {
    condition     = length(setsubtract(keys(var.throttling.routes), [for route in var.routes : "${route.method} ${route.path}"])) == 0
    error_message = "throttling.routes names a route that is not in the table."
  }
}

variable "timeout_ms" {
  description = "When the gateway gives a function up, in milliseconds; above the function's own time-out."
  type        = number
  default     = 29000
  nullable    = false

  validation {
    condition     = var.timeout_ms >= 50 && var.timeout_ms <= 30000
    error_message = "timeout_ms is 50 to 30000: an HTTP API waits no longer."
  }
}

variable "custom_domain" {
  description = "A name of one's own for the API and the Route 53 zone it is in; AWS's own name is then switched off. Null: AWS's own name."
  type        = object({ name = string, zone_id = string })
  default     = null

  validation {
    condition     = var.custom_domain == null ? true : can(regex("^([a-z0-9-]+\\.)+[a-z]{2,}$", var.custom_domain.name))
    error_message = "custom_domain.name is a host name in small letters."
  }
}

variable "kms_key_arn" {
  description = "Key of the access log; null leaves it to AWS's own keys."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "How long the access log is kept, in days."
  type        = number
  default     = 365
  nullable    = false
}
