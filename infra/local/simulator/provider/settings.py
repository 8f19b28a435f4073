"""What can be turned at the provider while it runs: fees, times, and which API behaviour it shows."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from infra.local.simulator.store import Store

_FACT = "provider_settings"
PARTIAL_CAPTURE = frozenset({"by_version", "one", "two"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Amounts in minor units of the charge's currency, times in seconds of simulated time."""

    fee_basis_points: int = 290
    fee_fixed: int = 30
    dispute_fee: int = 1500
    available_after_seconds: int = 2 * 86_400
    automatic_payouts: bool = True
    payout_arrival_seconds: int = 86_400
    authorisation_seconds: int = 7 * 86_400
    multicapture: bool = False
    """Whether the account may capture a payment in several parts; Stripe has to agree to that."""
    latency_seconds: float = 0.0
    """Real seconds every call takes; concurrent calls under one idempotency key then meet."""
    partial_capture: str = "by_version"
    """How a capture of less than was authorised is booked. `two`: a charge over the authorised amount and a
    `partial_capture_reversal` for the rest, with a refund object; `one`: a charge over the captured amount and nothing
    else. Stripe changed from two to one with API version 2025-03-31.basil; `by_version` follows the caller's."""


def load(store: Store) -> Settings:
    """Return the settings in force."""
    return Settings(**json.loads(store.fact(_FACT) or "{}"))


def change(store: Store, changes: Mapping[str, Any]) -> Settings:
    """Change some settings and keep them. ValueError for an unknown name or a value of another type."""
    current = load(store)
    types = {field.name: type(getattr(current, field.name)) for field in fields(Settings)}
    for name, value in changes.items():
        if name not in types:
            raise ValueError(f"unknown setting {name!r}; there are {', '.join(types)}")
        allowed = (int, float) if types[name] is float else (types[name],)
        if type(value) not in allowed or (types[name] in {int, float} and value < 0):
            raise ValueError(f"{name} must be {types[name].__name__}, zero or more")
    if changes.get("partial_capture", "one") not in PARTIAL_CAPTURE:
        raise ValueError(f"partial_capture must be one of {', '.join(sorted(PARTIAL_CAPTURE))}")
    changed = replace(current, **changes)
    store.set_fact(_FACT, json.dumps(asdict(changed)))
    return changed
