"""The proof of a shop's audit trail: the whole chain is walked, in memory bounded by a page."""

from dataclasses import dataclass

from worker.domain.audit import AuditHead, Fault, first_fault
from worker.services.ports import Database, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the walk found."""

    shop: str
    head: AuditHead
    """Where the chain ends: number and hash, to be kept elsewhere."""
    unsealed: int
    """Actions that an older release left outside the chain."""
    fault: Fault | None


def verify(database: Database, shop: str, *, expect_head: str | None = None, at: int | None = None) -> Proof:
    """Walk the chain of a shop. `expect_head` is the hash that entry `at` (without it the last one) had earlier."""

    def work(tx: Transaction) -> Proof:
        # The head first: what is appended meanwhile lies beyond it and is the next walk's.
        head = tx.audit.head(shop)
        kept = None if expect_head is None else AuditHead(sequence=at or head.sequence, hash=expect_head.lower())
        fault = first_fault(tx.audit.entries(shop, upto=head.sequence), head, kept)
        surplus = tx.audit.surplus(shop)
        if fault is None and surplus is not None:
            fault = Fault(surplus, "it lies beyond the noted head: this program did not write it")
        return Proof(shop=shop, head=head, unsealed=tx.audit.unsealed(shop), fault=fault)

    return database.transact(work)
