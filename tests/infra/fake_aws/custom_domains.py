"""Custom domains of the gateway: moto's have no status and no target, and show an empty mutual TLS block."""

from typing import Any

from moto.apigatewayv2.models import DomainName


def apply() -> None:
    """Complete what a domain name shows."""
    shown = DomainName.to_json

    def complete(self: Any) -> dict[str, Any]:
        document: dict[str, Any] = shown(self)
        for each in document.get("domainNameConfigurations") or []:
            each.setdefault("domainNameStatus", "AVAILABLE")
            each.setdefault("apiGatewayDomainName", "d-0123456789.execute-api.amazonaws.com")
            each.setdefault("hostedZoneId", "Z0123456789ABC")
        if not document.get("mutualTlsAuthentication"):
            document.pop("mutualTlsAuthentication", None)
        return document

    DomainName.to_json = complete
