"""The proof of a shop's audit trail: the whole chain is walked, in memory bounded by a page.

The chain proves what was recorded. That a decision was recorded at all is looked at from the other side: each break that
counts as settled by a person must have the entry that says so.
"""

from dataclasses import dataclass

from worker.domain.audit import AuditHead, Fault, first_fault
from worker.domain.finding import SettledAs
from worker.services.ports import Database, Transaction

MOST_DECISIONS = 10_000
"""Of how many settled breaks, those with most at risk first, the entry is looked for."""
_DECIDING = {*SettledAs, "reopened"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the walk found."""

    shop: str
    head: AuditHead
    """Where the chain ends: number and hash, to be kept elsewhere."""
    unsealed: int
    """Actions that an older release left outside the chain."""
    fault: Fault | None
    unrecorded: tuple[str, ...] = ()
    """Breaks that count as settled by a person although the trail does not say so: changed past this program."""

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against the trail."""
        return self.fault is None and not self.unrecorded


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
        return Proof(
            shop=shop, head=head, unsealed=tx.audit.unsealed(shop), fault=fault, unrecorded=_unrecorded(tx, shop)
        )

    return database.transact(work)


def _unrecorded(tx: Transaction, shop: str) -> tuple[str, ...]:
    settled = tx.breaks.listed(shop, status="settled", limit=MOST_DECISIONS)
    histories = tx.breaks.histories([item.break_id for item in settled])
    missing = {}
    for item in settled:
        decision = item.settlement
        told = [one for one in histories.get(item.break_id, ()) if one.action in _DECIDING]
        last = told[-1] if told else None
        if decision is not None and (
            last is None or (last.action, last.actor, last.at) != (decision.how, decision.by, decision.at)
        ):
            missing[item.break_id] = decision
    # What was decided anew while this was looked at is no finding.
    now = tx.breaks.by_ids(list(missing))
    return tuple(name for name, decision in missing.items() if name in now and now[name].settlement == decision)
