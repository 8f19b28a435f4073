"""Test cards: what each token or number does when it is charged. Source: Stripe "Testing"."""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.local.simulator.provider.errors import invalid


@dataclass(frozen=True, slots=True)
class Card:
    """A test card and how its issuer answers: `decline_code` None means yes."""

    brand: str
    last4: str
    code: str | None = None
    decline_code: str | None = None
    needs_action: bool = False


_VISA = Card("visa", "4242")
_MASTERCARD = Card("mastercard", "4444")
_DECLINED = Card("visa", "0002", "card_declined", "generic_decline")
_POOR = Card("visa", "9995", "card_declined", "insufficient_funds")
_LOST = Card("visa", "9987", "card_declined", "lost_card")
_STOLEN = Card("visa", "9979", "card_declined", "stolen_card")
_EXPIRED = Card("visa", "0069", "expired_card", None)
_CHECK_FAILED = Card("visa", "0127", "incorrect_cvc", None)
_PROCESSING = Card("visa", "0119", "processing_error", None)
_ACTION = Card("visa", "3184", needs_action=True)

TOKENS: dict[str, Card] = {
    "pm_card_visa": _VISA,
    "pm_card_mastercard": _MASTERCARD,
    "pm_card_chargeDeclined": _DECLINED,
    "pm_card_visa_chargeDeclined": _DECLINED,
    "pm_card_chargeDeclinedInsufficientFunds": _POOR,
    "pm_card_visa_chargeDeclinedInsufficientFunds": _POOR,
    "pm_card_chargeDeclinedLostCard": _LOST,
    "pm_card_visa_chargeDeclinedLostCard": _LOST,
    "pm_card_chargeDeclinedStolenCard": _STOLEN,
    "pm_card_visa_chargeDeclinedStolenCard": _STOLEN,
    "pm_card_chargeDeclinedExpiredCard": _EXPIRED,
    "pm_card_chargeDeclinedIncorrectCvc": _CHECK_FAILED,
    "pm_card_chargeDeclinedProcessingError": _PROCESSING,
    "pm_card_authenticationRequired": _ACTION,
}
NUMBERS: dict[str, Card] = {
    "4242424242424242": _VISA,
    "4000056655665556": Card("visa", "5556"),
    "5555555555554444": _MASTERCARD,
    "4000000000000002": _DECLINED,
    "4000000000009995": _POOR,
    "4000000000009987": _LOST,
    "4000000000009979": _STOLEN,
    "4000000000000069": _EXPIRED,
    "4000000000000127": _CHECK_FAILED,
    "4000000000000119": _PROCESSING,
    "4000002760003184": _ACTION,
    "4000002500003155": Card("visa", "3155", needs_action=True),
}
MESSAGES = {
    "card_declined": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}


def by_number(card: Mapping[str, object]) -> Card:
    """Return the test card of `payment_method_data[card]`; the number itself goes no further than this."""
    number = str(card.get("number", "")).replace(" ", "")
    found = NUMBERS.get(number)
    if found is None:
        raise invalid(
            "Your card number is incorrect.", param="payment_method_data[card][number]", code="incorrect_number"
        )
    return found


def message(card: Card) -> str:
    """Return the issuer's refusal in words."""
    return MESSAGES.get(card.decline_code or "", MESSAGES.get(card.code or "", MESSAGES["card_declined"]))
