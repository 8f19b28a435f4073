"""What Stripe's payment intents say of how they were paid, what may be captured of them and what stands against it.

Intents are plain dictionaries here, or objects of Stripe's library.
"""

from typing import Any

LONGEST_METHOD = 32
"""Characters of a method's name that our books keep."""


def several_of(intent: Any) -> bool:
    """Tell whether Stripe made multicapture available: the charge says it, where it is expanded."""
    node: Any = intent
    for key in ("latest_charge", "payment_method_details", "card", "multicapture"):
        node = _part(node, key)
        if node is None or isinstance(node, str):
            return False
    return text_of(node, "status") == "available"


def method_of(intent: Any) -> str:
    """Return how it was paid: the charge says it; an intent lists what it would have taken, which may be one thing."""
    charge = _part(intent, "latest_charge")
    details = None if charge is None or isinstance(charge, str) else _part(charge, "payment_method_details")
    if details is not None:
        return text_of(details, "type")[:LONGEST_METHOD]
    taken = list(_part(intent, "payment_method_types") or [])
    return str(taken[0])[:LONGEST_METHOD] if len(taken) == 1 else ""


def problem_of(intent: Any) -> str:
    """Return the code of what last stood against the payment, "" where nothing does."""
    problem = _part(intent, "last_payment_error")
    return (text_of(problem, "decline_code") or text_of(problem, "code")) if problem else ""


def _part(item: Any, key: str) -> Any:
    if key in item:
        return item[key]
    return None


def text_of(item: Any, key: str) -> str:
    """Return a text of a part of an answer, "" where there is none."""
    # The library's objects know `in` and `[]`, but none of a dict's methods.
    return str(item[key] or "") if key in item else ""
