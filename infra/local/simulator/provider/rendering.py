"""From the books' documents to what the API shows: our own notes hidden, references expanded on demand."""

from collections.abc import Iterable

from infra.local.simulator.provider.errors import invalid
from infra.local.simulator.store import Document, Store

INTERNAL = "internal"
"""Key of a document under which the books keep what the API does not show."""

COLLECTIONS = {
    "pi": "payment_intents",
    "ch": "charges",
    "re": "refunds",
    "dp": "disputes",
    "txn": "balance_transactions",
    "po": "payouts",
    "pm": "payment_methods",
}
_EXPANDABLE = {
    "payment_intent": frozenset({"latest_charge", "payment_method"}),
    "charge": frozenset({"balance_transaction", "payment_intent", "refunds"}),
    "refund": frozenset({"balance_transaction", "charge", "payment_intent"}),
    "dispute": frozenset({"charge", "payment_intent"}),
    "balance_transaction": frozenset({"source"}),
    "payout": frozenset({"balance_transaction"}),
}
_OF_A_SOURCE = frozenset[str]().union(*(_EXPANDABLE[kind] for kind in ("charge", "refund", "dispute", "payout")))
"""What is passed over in a source that lacks it: a ledger's lines have sources of every kind."""
_DEEPEST = 4


def render(document: Document, now: int) -> Document:
    """Return the API's view of a document at `now` (seconds since 1970)."""
    shown = {key: value for key, value in document.items() if key != INTERNAL}
    if document.get("object") == "balance_transaction":
        shown["status"] = "available" if document["available_on"] <= now else "pending"
    elif document.get("object") == "dispute":
        shown["balance_transactions"] = [render(entry, now) for entry in document["balance_transactions"]]
    return shown


def find(store: Store, object_id: str) -> Document | None:
    """Return any object by its id, whose prefix says what it is."""
    collection = COLLECTIONS.get(object_id.partition("_")[0])
    return None if collection is None else store.get(collection, object_id)


def expand(store: Store, shown: Document, paths: Iterable[str], now: int) -> Document:
    """Replace the references named by `paths` (`latest_charge.balance_transaction`) with their objects, in place."""
    for path in paths:
        steps = path.split(".")
        if len(steps) > _DEEPEST:
            raise invalid("You cannot expand more than 4 levels of a property", param="expand")
        _expand(store, shown, steps, path, now)
    return shown


def _expand(store: Store, node: Document, steps: list[str], path: str, now: int, *, source: bool = False) -> None:
    if node.get("object") == "list" and steps[0] == "data":
        for item in node["data"] if len(steps) > 1 else []:
            _expand(store, item, steps[1:], path, now)
        return
    kind, name = str(node.get("object")), steps[0]
    if name not in _EXPANDABLE.get(kind, frozenset()):
        if source and name in _OF_A_SOURCE:
            return
        raise invalid(f"This property cannot be expanded ({path[:80]}).", param="expand")
    child = node.get(name)
    if kind == "charge" and name == "refunds" and child is None:
        child = node[name] = _refunds(store, node["id"], now)
    if isinstance(child, str):
        found = find(store, child)
        # What tampering removed stays a bare id, as a dangling reference should.
        child = node[name] = child if found is None else render(found, now)
    if len(steps) > 1 and isinstance(child, dict):
        _expand(store, child, steps[1:], path, now, source=kind == "balance_transaction")


def _refunds(store: Store, charge_id: str, now: int) -> Document:
    refunds = store.index("refunds", "charge", charge_id, newest_first=True)
    return {
        "object": "list",
        "data": [render(refund, now) for refund in refunds[:10]],
        "has_more": len(refunds) > 10,
        "url": f"/v1/charges/{charge_id}/refunds",
    }
