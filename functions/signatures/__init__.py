"""Webhook signatures: one scheme a file, chosen by name in settings, never guessed from a secret's look.

Every verifier works on the raw bytes before anything is parsed (but for `adyen`, whose signature stands in the
body), compares in constant time, accepts several secrets at once (rotation: add the new one, wait, remove the
old one) and answers a typed verdict for every input whatever: hostile headers are a rejection, never an exception.
"""

from functions.signatures.adyen import Adyen, AdyenPlatform
from functions.signatures.generic_hmac import GenericHmac, HmacRule
from functions.signatures.github import GitHub
from functions.signatures.shopify import Shopify
from functions.signatures.standard_webhooks import StandardWebhooks
from functions.signatures.standard_webhooks_v1a import StandardWebhooksV1a
from functions.signatures.stripe import Stripe
from functions.signatures.verdict import Clock, Rejection, Scheme, Verdict, Verified

SCHEMES: dict[str, Scheme] = {
    "adyen": Adyen(),
    "adyen_platform": AdyenPlatform(),
    "github": GitHub(),
    "shopify": Shopify(),
    "standard_webhooks": StandardWebhooks(),
    "standard_webhooks_v1a": StandardWebhooksV1a(),
    "stripe": Stripe(),
    "svix": StandardWebhooks("svix"),
}
"""Every scheme that is fixed, by its name in settings (`webhooks.<source>.scheme`)."""

GENERIC = "hmac"
"""The scheme that a source describes in its table `hmac`."""

UNSIGNED = "unsigned"
"""No scheme at all: anybody is believed. Only the local environment takes it."""


def scheme_named(name: str, rule: HmacRule | None) -> Scheme:
    """Return the scheme of a source. Raises ValueError, worded for settings, when there is none by that name."""
    if name == GENERIC:
        if rule is None:
            raise ValueError("hmac: this scheme needs a table that describes it")
        return GenericHmac(rule)
    if rule is not None:
        raise ValueError(f"hmac: is for scheme {GENERIC} only")
    scheme = SCHEMES.get(name)
    if scheme is None:
        raise ValueError(f"scheme: unknown, use one of {', '.join(sorted([*SCHEMES, GENERIC, UNSIGNED]))}")
    return scheme


__all__ = [
    "GENERIC",
    "SCHEMES",
    "UNSIGNED",
    "Clock",
    "HmacRule",
    "Rejection",
    "Scheme",
    "Verdict",
    "Verified",
    "scheme_named",
]
