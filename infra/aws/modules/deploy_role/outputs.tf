output "role_arn" {
  description = "The role that a workflow takes."
  value       = aws_iam_role.this.arn

  # Whoever takes the role finds it complete.
  depends_on = [aws_iam_role_policy_attachment.this]
}

output "role_name" {
  description = "Name of the role."
  value       = aws_iam_role.this.name
}

output "boundary_arn" {
  description = "The permissions boundary that the roles of the environment must have where this role makes them; null for \"plan\" and \"publish\"."
  value       = one(aws_iam_policy.boundary[*].arn)
}
