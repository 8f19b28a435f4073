"""Webhook signatures: one scheme a file, chosen by name in settings.

Every verifier works on the raw bytes before anything is parsed, compares in constant time, accepts several
secrets at once (rotation: add the new one, wait, remove the old one) and answers a typed verdict for every
input whatever: hostile headers are a rejection, never an exception.
"""

from functions.signatures.shopify import Shopify
from functions.signatures.standard_webhooks import StandardWebhooks
from functions.signatures.stripe import Stripe
from functions.signatures.verdict import Clock, Rejection, Scheme, Verdict, Verified

SCHEMES: dict[str, Scheme] = {
    "standard_webhooks": StandardWebhooks(),
    "stripe": Stripe(),
    "shopify": Shopify(),
}
"""Every scheme by its name in settings (`webhooks.<source>.scheme`)."""

__all__ = ["SCHEMES", "Clock", "Rejection", "Scheme", "Verdict", "Verified"]
