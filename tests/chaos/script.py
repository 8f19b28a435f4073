"""What happens in a walk, drawn from a seed before it starts: the same seed is the same script, and scripts can be cut.

Which order a step is about is a number taken modulo the orders there are by then, so that a step keeps its meaning
when others are left out.
"""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

CURRENCIES = ("EUR", "EUR", "USD", "GBP", "JPY", "KWD")
LIGHT: dict[str, int] = {
    "order": 10,
    "hold": 4,
    "buy": 10,
    "decline": 2,
    "unshippable": 2,
    "repeat": 3,
    "cancel": 3,
    "refund": 4,
    "spoil_webhook": 9,
    "spoil_call": 7,
    "tamper_provider": 4,
    "tamper_shop": 2,
    "tamper_warehouse": 3,
    "reconcile": 3,
    "wait": 3,
}
"""Steps and how often each is drawn."""
HEAVY: dict[str, int] = LIGHT | {
    "kill_worker": 2,
    "restart_worker": 1,
    "kill_database": 1,
    "freeze_temporal": 1,
    "kill_functions": 1,
}
"""Those that stop a part of the system as well."""

WEBHOOKS = (
    ("shopify", "orders/create"),
    ("shopify", "orders/paid"),
    ("shopify", "*"),
    ("stripe", "*"),
    ("stripe", "payment_intent.succeeded"),
    ("warehouse", "*"),
)
CALLS = (
    "POST /stripe/v1/payment_intents",
    "POST /stripe/v1/payment_intents/*/capture",
    "POST /stripe/v1/refunds",
    "GET /stripe/v1/payment_intents/*",
    "GET /stripe/v1/balance_transactions",
    "POST /warehouse/v1/fulfilments",
    "GET /warehouse/*",
    "GET /shopify/*",
)
KINDS = ("timeout_before", "timeout_after", "reset_before", "reset_after", "status", "wrong_body")
HARMLESS_BODY = frozenset({"GET /warehouse/*", "GET /shopify/*", "GET /stripe/v1/balance_transactions"})


@dataclass(frozen=True, slots=True)
class Step:
    """One step: a method of the walk and its arguments."""

    name: str
    wish: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the step as JSON would hold it."""
        return asdict(self)


def script(seed: int, steps: int, weights: dict[str, int]) -> list[Step]:
    """Return the steps of a seed; a walk begins with two orders, so that there is something to harm."""
    dice = random.Random(seed)
    names = dice.choices(list(weights), list(weights.values()), k=max(steps - 2, 0))
    return [_step(name, dice) for name in ("order", "buy", *names)]


def without(steps: Sequence[Step], start: int, length: int) -> list[Step]:
    """Return the script without a stretch of it."""
    return [*steps[:start], *steps[start + length :]]


def _step(name: str, dice: random.Random) -> Step:
    which = {"which": dice.randrange(10**6)}
    match name:
        case "order" | "hold" | "buy" | "decline" | "unshippable":
            currency = dice.choice(CURRENCIES if name != "buy" else ("EUR", "USD"))
            return Step(
                name, {"currency": currency, "quantity": dice.randint(1, 4), "price": dice.randint(10, 900) * 10}
            )
        case "refund":
            return Step(name, which | {"share": dice.choice((10, 25, 50, 100))})
        case "spoil_webhook":
            source, topic = dice.choice(WEBHOOKS)
            kind = dice.choice(("lose", "lose", "duplicate", "delay", "hold"))
            more = {"seconds": dice.randint(1, 3)} if kind == "delay" else {}
            return Step(name, {"kind": kind, "source": source, "topic": topic, "times": dice.randint(1, 3), **more})
        case "spoil_call":
            route, kind = dice.choice(CALLS), dice.choice(KINDS)
            status = dice.choice((429, 500, 502, 503))
            return Step(
                name,
                {"route": route, "kind": kind, "times": dice.randint(1, 2), "seconds": 7, "status": status},
            )
        case "tamper_provider":
            actions = ("drop_charge", "change_amount", "refund_silently", "charge_twice")
            return Step(name, which | {"action": dice.choice(actions)})
        case "tamper_warehouse":
            return Step(name, which | {"action": dice.choice(("ship_without_order", "lose_shipment", "ship_unpaid"))})
        case "reconcile":
            return Step(name, {"times": dice.randint(1, 2)})
        case "wait":
            return Step(name, {"tenths": dice.randint(2, 15)})
        case _:
            return Step(name, which)
