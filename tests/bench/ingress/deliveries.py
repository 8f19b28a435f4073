"""What is sent: events of a payment provider, one kilobyte of JSON each, every one new, signed as Stripe signs."""

import hmac
import itertools
import time
import uuid
from collections.abc import Iterator

from tests.integration.served_functions import STRIPE_SECRET

SOURCE = "stripe"
TOPIC = "payment_intent.succeeded"

_BODY = """{
  "id": "%s",
  "object": "event",
  "api_version": "2026-09-30",
  "created": 1795341600,
  "type": "payment_intent.succeeded",
  "livemode": false,
  "pending_webhooks": 1,
  "request": {"id": "req_8f3c2b1a90d7", "idempotency_key": "order/main/1001:charge"},
  "data": {
    "object": {
      "id": "pi_3PqVxk2eZvKYlo2C1pL0wRmN",
      "object": "payment_intent",
      "amount": 12990,
      "amount_capturable": 0,
      "amount_received": 12990,
      "automatic_payment_methods": {"allow_redirects": "always", "enabled": true},
      "capture_method": "automatic",
      "client_secret": null,
      "confirmation_method": "automatic",
      "created": 1795341590,
      "currency": "eur",
      "customer": null,
      "latest_charge": "ch_3PqVxk2eZvKYlo2C1vT9uQaB",
      "livemode": false,
      "metadata": {"order_id": "1001", "shop": "main"},
      "payment_method": "pm_1PqVxj2eZvKYlo2CkE4dGh7S",
      "payment_method_types": ["card", "sepa_debit"],
      "status": "succeeded",
      "transfer_data": null
    }
  }
}"""


def event_ids() -> Iterator[str]:
    """Return ids that nobody has used before."""
    run = uuid.uuid4().hex[:12]
    return (f"evt_{run}_{number}" for number in itertools.count())


def body(event_id: str) -> bytes:
    """Return the event as the provider writes it."""
    return (_BODY % event_id).encode()


def requests() -> Iterator[bytes]:
    """Return deliveries as they go over the wire."""
    for event_id in event_ids():
        raw = body(event_id)
        at = int(time.time())
        digest = hmac.digest(STRIPE_SECRET.encode(), b"%d." % at + raw, "sha256").hex()
        yield (
            b"POST /webhooks/stripe HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Stripe/1.0\r\nAccept: */*\r\n"
            b"Content-Type: application/json; charset=utf-8\r\nStripe-Signature: t=%d,v1=%s\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (at, digest.encode(), len(raw), raw)
        )
