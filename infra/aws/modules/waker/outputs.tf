output "function_name" {
  description = "Name of the function, for its alarm."
  value       = module.function.function_name
}

output "role_name" {
  description = "Name of the function's role."
  value       = module.function.role_name
}

output "log_group_name" {
  description = "Log group of the function: a line for each time that a service was woken or put to sleep."
  value       = module.function.log_group_name
}
