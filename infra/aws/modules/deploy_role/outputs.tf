output "role_arn" {
  description = "The role that a workflow of the environment takes."
  value       = aws_iam_role.this.arn
}

output "boundary_arn" {
  description = "The permissions boundary that the roles of the environment must have where this role makes them."
  value       = aws_iam_policy.boundary.arn
}
