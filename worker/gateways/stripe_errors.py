"""Stripe's errors as errors of this project. Messages keep codes and ids; Stripe's texts may name people."""

from collections.abc import Iterator
from contextlib import contextmanager

import stripe

from worker.domain.errors import NotFound, PaymentDeclined, ProviderRejected, ProviderUnavailable


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Run Stripe calls; raise PaymentDeclined, ProviderRejected, NotFound or ProviderUnavailable instead of its errors."""
    try:
        yield
    except stripe.CardError as problem:
        said = problem.error
        refused = (said.decline_code if said else None) or problem.code or "card_declined"
        intent = said.payment_intent if said and "payment_intent" in said else None
        raise PaymentDeclined(refused, intent["id"] if intent else "") from None
    except stripe.InvalidRequestError as problem:
        if problem.code == "resource_missing":
            raise NotFound(f"{what}: the provider does not know it") from None
        raise ProviderRejected(f"{what}: {problem.code or 'invalid_request'}") from None
    except stripe.IdempotencyError as problem:
        if problem.http_status == 409:  # the same key is under way elsewhere
            raise ProviderUnavailable(f"{what}: the same request is under way") from None
        raise ProviderRejected(f"{what}: {type(problem).__name__}") from None
    except stripe.StripeError as problem:
        # Connection problems, 429 and 5xx: whether anything happened is unknown, the idempotency key settles it.
        # A key that is refused (401, 403) is ours to mend: no order is given up for it.
        raise ProviderUnavailable(f"{what}: {type(problem).__name__} {problem.http_status or ''}".rstrip()) from None
