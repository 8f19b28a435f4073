"""Letting a payment go: voided at the provider, and known to be over before anything is built on that."""

from worker.domain.errors import ProviderUnavailable
from worker.domain.payment import IN_FLIGHT, Payment, PaymentState
from worker.services.ports import PaymentGateway


def let_go(payments: PaymentGateway, payment: Payment, key: str) -> Payment:
    """Void a payment and return what became of it; raises ProviderUnavailable while that is not decided."""
    # The state is part of the key: a void refused for it is tried anew once the payment has moved on.
    step = f"{key}:void:{payment.reference}:{payment.state}"
    return decided(payments.cancel(payment.reference, idempotency_key=step), IN_FLIGHT)


def decided(payment: Payment, open_states: frozenset[PaymentState]) -> Payment:
    """Return the payment unless it stands in one of `open_states`: then it is to be asked again (ProviderUnavailable)."""
    if payment.state in open_states:
        raise ProviderUnavailable(f"payment {payment.reference} is still {payment.state}")
    return payment
