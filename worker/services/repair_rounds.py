"""Another round of repair: a person has mended the cause, and lets a failed repair be tried again from the first step."""

from dataclasses import replace

from worker.domain.errors import Conflict, NotFound
from worker.domain.finding import OPEN_STATUSES, Break, Repair, RepairState
from worker.services.ports import BreakAction, Clock, Database, Transaction


def begin_anew(
    database: Database, clock: Clock, break_id: str, *, actor: str, reason: str, dry_run: bool = False
) -> Break:
    """Begin a new round; the next run makes its first attempt. Its number and event id continue the old ones.

    A dry run judges, and changes nothing. Raises NotFound, Conflict when the break is not open, has no repair, or its repair has not failed.
    """

    def work(tx: Transaction) -> Break:
        known = tx.breaks.get(break_id)
        if known is None:
            raise NotFound(f"no break {break_id}; `orders breaks list --status all` shows them")
        tx.runs.lock(known.shop, known.provider)
        item = tx.breaks.get(break_id) or known
        if item.status not in OPEN_STATUSES or item.finding.repair is Repair.NONE:
            raise Conflict(f"break {break_id} is {item.status} and its repair {item.finding.repair}: nothing to try")
        if item.repair_state != RepairState.FAILED:
            raise Conflict(f"the repair of break {break_id} is {item.repair_state}: only a failed one is begun anew")
        after = replace(item, repair_state=RepairState.NONE, repair_round=item.repair_round + 1, repair_next_at=None)
        if dry_run:
            return after
        action = BreakAction(at=clock.now(), actor=actor, action="repair_begun_anew", run_id="", detail=reason[:500])
        tx.breaks.save(after, action)
        return after

    return database.transact(work)
