output "secret_arns" {
  description = "ARN of each secret, by its name within the environment."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => secret.arn }
}
