# Containers without a value: what is in them is put by `orders secrets put`, or by the deploy task, and never passes
# through Terraform, so that no plan and no state holds a secret.

resource "aws_secretsmanager_secret" "this" {
  # checkov:skip=CKV2_AWS_57:other companies issue these; each is rotated with its issuer, old and new accepted meanwhile
  # checkov:skip=CKV_AWS_149:the key is a variable; without one Secrets Manager encrypts with its own
  for_each = var.containers

  name                    = "${var.path}/${each.key}"
  description             = each.value
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.recovery_window_days
}
