"""Lists as the provider pages them: newest first, by cursor, with `has_more`.

Parameters that name another object (`payment_intent`, `payout`, `source`, ...) are looked up by index; `created` walks
its index; nothing reads a whole collection to answer one page.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from infra.local.simulator.provider.errors import invalid, missing
from infra.local.simulator.provider.forms import Params, integer
from infra.local.simulator.provider.rendering import INTERNAL, render
from infra.local.simulator.store import Document, Store

_DEFAULT, _MOST = 10, 100
_BOUNDS = frozenset({"gt", "gte", "lt", "lte"})


@dataclass(frozen=True, slots=True)
class Kind:
    """A list the API offers: its collection, the word for its items, and the filters with the key each is kept under.

    `narrow` filters are indexed and select few; `wide` ones are checked item by item, and so are `times` but `created`.
    """

    collection: str
    noun: str
    url: str
    narrow: Mapping[str, str] = field(default_factory=dict)
    wide: Mapping[str, str] = field(default_factory=dict)
    times: tuple[str, ...] = ("created",)


INTENTS = Kind("payment_intents", "payment_intent", "/v1/payment_intents", {"customer": "customer"})
CHARGES = Kind("charges", "charge", "/v1/charges", {"payment_intent": "payment_intent"}, {"customer": "customer"})
REFUNDS = Kind("refunds", "refund", "/v1/refunds", {"charge": "charge", "payment_intent": "payment_intent"})
DISPUTES = Kind("disputes", "dispute", "/v1/disputes", {"charge": "charge", "payment_intent": "payment_intent"})
TRANSACTIONS = Kind(
    "balance_transactions",
    "balance transaction",
    "/v1/balance_transactions",
    {"payout": f"{INTERNAL}.payout", "source": "source"},
    {"type": "type", "currency": "currency"},
)
PAYOUTS = Kind("payouts", "payout", "/v1/payouts", {}, {"status": "status"}, times=("created", "arrival_date"))
EVENTS = Kind("events", "event", "/v1/events", {}, {"type": "type"})


def page(store: Store, kind: Kind, params: Params, now: int) -> Document:
    """Answer one page of a list, unexpanded. Refuses parameters the list does not have."""
    limit = params.integer("limit")
    limit = _DEFAULT if limit is None else limit
    if not 1 <= limit <= _MOST:
        raise invalid(f"This value must be between 1 and {_MOST}.", param="limit", code="parameter_invalid_integer")
    after, before = params.text("starting_after"), params.text("ending_before")
    if after is not None and before is not None:
        raise invalid("You can specify only one of these parameters: starting_after, ending_before.")
    for name, cursor in (("starting_after", after), ("ending_before", before)):
        if cursor is not None and store.get(kind.collection, cursor) is None:
            raise missing(kind.noun, cursor, param=name, status=400)
    bounds = {name: _bounds(params, name) for name in kind.times}
    narrow = [(key, params.text(name)) for name, key in kind.narrow.items()]
    wide = [(key, params.text(name)) for name, key in kind.wide.items()]
    types = frozenset(params.texts("types")) if kind is EVENTS else frozenset()
    params.finish()
    wanted = [(key, value) for key, value in [*narrow, *wide] if value is not None]

    def accepted(document: Document) -> bool:
        for name, (low, high) in bounds.items():
            if (low is not None and document[name] < low) or (high is not None and document[name] > high):
                return False
        if types and document["type"] not in types:
            return False
        return all(_value(document, key) == value for key, value in wanted)

    chosen = next(((key, value) for key, value in narrow if value is not None), None)
    found = _walk(store, kind, chosen, bounds["created"], newest_first=before is None, beyond=after or before)
    items = list(islice(filter(accepted, found), limit + 1))
    has_more, items = len(items) > limit, items[:limit]
    if before is not None:
        items.reverse()
    return {
        "object": "list",
        "data": [render(item, now) for item in items],
        "has_more": has_more,
        "url": kind.url,
    }


def _walk(
    store: Store,
    kind: Kind,
    chosen: tuple[str, str | None] | None,
    created: tuple[int | None, int | None],
    *,
    newest_first: bool,
    beyond: str | None,
) -> Iterator[Document]:
    if chosen is not None:
        key, value = chosen
        return store.scan(kind.collection, newest_first=newest_first, key=key, value=value, beyond=beyond)
    low, high = created
    return store.ordered(kind.collection, "created", low=low, high=high, newest_first=newest_first, beyond=beyond)


def _bounds(params: Params, name: str) -> tuple[int | None, int | None]:
    """Return the inclusive bounds that a time asks for, as one second or as `created[gte]` and the like."""
    if not params.is_nested(name):
        exact = params.integer(name)
        return exact, exact
    bounds = params.mapping(name)
    if set(bounds) - _BOUNDS:
        raise invalid(f"{name} takes gt, gte, lt and lte", param=name)
    given = {bound: integer(str(value), f"{name}[{bound}]") for bound, value in bounds.items()}
    lows = [given[bound] + shift for bound, shift in (("gte", 0), ("gt", 1)) if bound in given]
    highs = [given[bound] - shift for bound, shift in (("lte", 0), ("lt", 1)) if bound in given]
    return max(lows, default=None), min(highs, default=None)


def _value(document: Document, key: str) -> object:
    value: object = document
    for step in key.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value
