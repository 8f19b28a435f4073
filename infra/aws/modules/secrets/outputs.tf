output "secret_arns" {
  description = "ARN of each secret, by its name within the environment."
  value = merge(
    { for name, secret in aws_secretsmanager_secret.this : name => secret.arn },
    { for name, parameter in aws_ssm_parameter.this : name => parameter.arn },
  )
}
