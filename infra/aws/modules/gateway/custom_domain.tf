# A name of one's own: certificate, proof of owning the name, the name, and the record that points to it.

locals {
  domains = toset(var.custom_domain == null ? [] : [var.custom_domain.name])
}

resource "aws_acm_certificate" "this" {
  for_each = local.domains

  domain_name       = each.key
  validation_method = "DNS"
  tags              = { Name = var.prefix }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "proof" {
  for_each = local.domains

  zone_id         = var.custom_domain.zone_id
  name            = one([for each in aws_acm_certificate.this[each.key].domain_validation_options : each.resource_record_name if each.domain_name == var.custom_domain.name])
  type            = one([for each in aws_acm_certificate.this[each.key].domain_validation_options : each.resource_record_type if each.domain_name == var.custom_domain.name])
  records         = [for each in aws_acm_certificate.this[each.key].domain_validation_options : each.resource_record_value if each.domain_name == var.custom_domain.name]
  ttl             = 300
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "this" {
  for_each = local.domains

  certificate_arn         = aws_acm_certificate.this[each.key].arn
  validation_record_fqdns = [aws_route53_record.proof[each.key].fqdn]
}

resource "aws_apigatewayv2_domain_name" "this" {
  for_each = local.domains

  domain_name = each.key

  domain_name_configuration {
    certificate_arn = aws_acm_certificate_validation.this[each.key].certificate_arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "this" {
  for_each = local.domains

  api_id      = aws_apigatewayv2_api.this.id
  domain_name = aws_apigatewayv2_domain_name.this[each.key].id
  stage       = aws_apigatewayv2_stage.this.id
}

resource "aws_route53_record" "this" {
  # checkov:skip=CKV2_AWS_23:it points to the API's own regional name
  for_each = local.domains

  zone_id = var.custom_domain.zone_id
  name    = each.key
  type    = "A"

  alias {
    name                   = aws_apigatewayv2_domain_name.this[each.key].domain_name_configuration[0].target_domain_name
    zone_id                = aws_apigatewayv2_domain_name.this[each.key].domain_name_configuration[0].hosted_zone_id
    evaluate_target_health = false
  }
}
