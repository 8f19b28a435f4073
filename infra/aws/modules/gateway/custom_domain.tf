# A name of one's own. The keys are the name itself, known from the start, so that a plan can be made before the
# certificate exists.

locals {
  domain_names    = toset(var.custom_domain == null ? [] : [var.custom_domain.name])
  certified_names = toset(try(var.custom_domain.certificate_arn, null) == null ? local.domain_names : [])
  zoned_names     = toset(try(var.custom_domain.zone_id, null) == null ? [] : local.domain_names)
}

resource "aws_acm_certificate" "this" {
  for_each = local.certified_names

  domain_name       = each.key
  validation_method = "DNS"
  tags              = { Name = "${var.prefix}-api" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "validation" {
  for_each = local.certified_names

  zone_id         = var.custom_domain.zone_id
  name            = one([for option in aws_acm_certificate.this[each.key].domain_validation_options : option.resource_record_name if option.domain_name == each.key])
  type            = one([for option in aws_acm_certificate.this[each.key].domain_validation_options : option.resource_record_type if option.domain_name == each.key])
  records         = [for option in aws_acm_certificate.this[each.key].domain_validation_options : option.resource_record_value if option.domain_name == each.key]
  ttl             = 60
  allow_overwrite = true # the record of an earlier certificate for the same name is the same record
}

resource "aws_acm_certificate_validation" "this" {
  for_each = local.certified_names

  certificate_arn         = aws_acm_certificate.this[each.key].arn
  validation_record_fqdns = [aws_route53_record.validation[each.key].fqdn]
}

resource "aws_apigatewayv2_domain_name" "this" {
  for_each = local.domain_names

  domain_name = each.key

  domain_name_configuration {
    certificate_arn = contains(local.certified_names, each.key) ? aws_acm_certificate_validation.this[each.key].certificate_arn : var.custom_domain.certificate_arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "this" {
  for_each = local.domain_names

  api_id      = aws_apigatewayv2_api.this.id
  domain_name = aws_apigatewayv2_domain_name.this[each.key].id
  stage       = aws_apigatewayv2_stage.this.id
}

resource "aws_route53_record" "this" {
  for_each = local.zoned_names

  zone_id = var.custom_domain.zone_id
  name    = each.key
  type    = "A"

  alias {
    name                   = one(aws_apigatewayv2_domain_name.this[each.key].domain_name_configuration).target_domain_name
    zone_id                = one(aws_apigatewayv2_domain_name.this[each.key].domain_name_configuration).hosted_zone_id
    evaluate_target_health = false
  }
}
