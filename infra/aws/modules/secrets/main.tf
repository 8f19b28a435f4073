# Containers without a value: what is in them is put by `orders secrets put`, or by the deploy task, and never passes
# through Terraform, so that no plan and no state holds a secret.

resource "aws_secretsmanager_secret" "this" {
  # checkov:skip=CKV2_AWS_57:other companies issue these; each is rotated with its issuer, old and new accepted meanwhile
  for_each = var.store == "secrets_manager" ? var.containers : {}

  name                    = "${var.path}/${each.key}"
  description             = each.value
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.recovery_window_days
}

resource "aws_ssm_parameter" "this" {
  for_each = var.store == "parameter_store" ? var.containers : {}

  name        = "/${var.path}/${each.key}"
  description = each.value
  type        = "SecureString"
  tier        = "Standard"
  key_id      = var.kms_key_arn

  # A parameter cannot be without a value: an object without a key stands for "not put yet". Written once, as its version
  # never changes, and never read into the state, as it is write-only.
  value_wo         = "{}"
  value_wo_version = 1

  lifecycle {
    # The provider changes a parameter by writing it whole: it would put the empty object over the secret.
    ignore_changes = [allowed_pattern, data_type, description, key_id, tier, value_wo_version]
  }
}
