"""Repair: what the policy allows is done about a break, through the very workflow the webhook would have started.

Each attempt is recorded before it is made, under a lock per shop and provider, and carries an id of its own. So two
runs never make the same attempt, one that was cut off is finished by the next under the same id, and whoever
receives a message twice takes it once. Whether it helped is the next run's to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from worker.contract.events import ProviderEvent
from worker.contract.ids import is_valid_part
from worker.domain.errors import Conflict, InvalidInput, NotFound, ProviderRejected, SourceUnreadable
from worker.domain.finding import OPEN_STATUSES, Break, Repair, RepairState
from worker.domain.repair_policy import Attempt, AttemptOutcome, Decision, RepairPolicy, decide
from worker.domain.timeline import TimelineEntry, of_repair
from worker.services.inquiry import Answer, Inquiry
from worker.services.lost_messages import LostMessages
from worker.services.ports import BreakAction, Clock, Database, InboxEntry, Transaction

MOST_REPAIRS = 200
"""How many repairs one run makes: hundreds at once are an outage or a first run, and are worked off."""

ACTOR = "reconciliation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An attempt that is recorded and now to be made."""

    item: Break
    attempt: Attempt
    again: bool = False
    """It was cut off before: its message may have been delivered already."""


class RepairService:
    """Decides, records and makes repairs. A policy that is not named is the default one."""

    def __init__(
        self,
        database: Database,
        messages: LostMessages,
        inquiry: Inquiry,
        clock: Clock,
        policies: Mapping[Repair, RepairPolicy],
    ) -> None:
        self._database = database
        self._messages = messages
        self._inquiry = inquiry
        self._clock = clock
        self._policies = policies

    def due(self, shop: str, provider: str, run_id: str) -> list[str]:
        """Return the breaks about which something is to be done or noted: never tried first, then oldest first."""
        now = self._clock.now()

        def work(tx: Transaction) -> tuple[list[Break], list[str]]:
            return tx.breaks.open(shop, provider), tx.repairs.cut_off(run_id)

        found, cut_off = self._database.transact(work)
        unfinished = set(cut_off)
        concerned = [item for item in found if item.break_id in unfinished or self._concerns(item, now)]
        return [item.break_id for item in sorted(concerned, key=lambda item: item.repair_attempts > 0)]

    def claim(self, break_id: str, run_id: str) -> Claim | None:
        """Decide about one break and record the decision; return the attempt to make now, if any."""

        def work(tx: Transaction) -> Claim | None:
            known = tx.breaks.get(break_id)
            if known is None:
                return None
            tx.runs.lock(known.shop, known.provider)
            item = tx.breaks.get(break_id)
            if item is None or item.status not in OPEN_STATUSES:
                return None
            now = self._clock.now()
            attempts = tx.repairs.of_breaks([break_id]).get(break_id, [])
            decision = decide(self._policy(item), item, attempts, run_id=run_id, now=now)
            again = decision.attempt in attempts
            if decision.attempt is not None and not again and not tx.repairs.claim(decision.attempt):
                return None
            after = replace(
                item,
                repair_state=decision.state,
                repair_attempts=decision.attempt.number if decision.attempt else item.repair_attempts,
                repair_next_at=decision.next_at,
            )
            if after != item:
                tx.breaks.save(after, _decided(item, decision, run_id, now))
            return Claim(item=after, attempt=decision.attempt, again=again) if decision.attempt else None

        return self._database.transact(work)

    def carry_out(self, claim: Claim) -> ProviderEvent | Answer:
        """Fetch what the attempt delivers, or ask whom it asks. Raises ProviderUnavailable, SourceUnreadable.

        What is refused is an attempt without effect, and comes to a person at the end of the ladder: a run must not fail for
        one break, for the next one would fail for it as well, and neither report nor alert would tell of any other.
        """
        try:
            return self._carried_out(claim)
        except (Conflict, InvalidInput, NotFound, ProviderRejected) as refusal:
            return Answer(outcome=AttemptOutcome.NOTHING, detail=f"it was refused: {refusal}")
        except (AttributeError, KeyError, TypeError, ValueError) as problem:
            what = f"{claim.attempt.repair} of break {claim.item.break_id}"
            raise SourceUnreadable(f"{what}: its owner answers in another shape") from problem

    def _carried_out(self, claim: Claim) -> ProviderEvent | Answer:
        if claim.again and (entry := self._delivered(claim.attempt)):
            return Answer(
                outcome=AttemptOutcome.DELIVERED, detail=f"{entry.topic} to {entry.source}, before it was cut off"
            )
        if why := self._messages.unasked(claim.item):
            return Answer(outcome=AttemptOutcome.CONTRADICTED, detail=why)
        if claim.attempt.repair is Repair.ASK_PROVIDER:
            return self._inquiry.money(claim.item)
        if claim.attempt.repair is Repair.REQUEST_FULFILMENT:
            return self._inquiry.parcel(claim.item)
        event = self._messages.event(claim.item, claim.attempt.event_id)
        if event is None:
            return Answer(outcome=AttemptOutcome.NOTHING, detail="its owner has nothing to deliver any more")
        return event

    def finished(self, claim: Claim, answer: Answer) -> None:
        """Note what became of an attempt, once. One that changed nothing does not count as a repair."""

        def work(tx: Transaction) -> None:
            tx.runs.lock(claim.item.shop, claim.item.provider)
            now, attempt = self._clock.now(), claim.attempt
            # One that was cut off and is made late gets its whole time to take effect.
            late = attempt.next_at <= now
            next_at = now + (attempt.next_at - attempt.claimed_at) if late else attempt.next_at
            done = replace(
                attempt, outcome=answer.outcome, detail=answer.detail[:500], finished_at=now, next_at=next_at
            )
            if not tx.repairs.finish(done):
                return
            # What an outside system took for our order id may be no id at all.
            if is_valid_part(claim.item.finding.order_id):
                tx.timeline.add(_told(claim.item, done, now))
            current = tx.breaks.get(attempt.break_id)
            if current is None or current.status not in OPEN_STATUSES:
                return
            if answer.outcome is AttemptOutcome.DELIVERED:
                tx.breaks.save(replace(current, repair_next_at=next_at), None)
                return
            contradicted = answer.outcome is AttemptOutcome.CONTRADICTED
            state = RepairState.FAILED if contradicted else RepairState.NONE
            action = BreakAction(
                at=now,
                actor=ACTOR,
                action="repair_failed" if contradicted else "repair_without_effect",
                run_id=attempt.run_id,
                detail=f"{attempt.repair}, attempt {attempt.number}: {answer.detail}"[:500],
            )
            after = replace(current, repair_state=state, repair_next_at=None if contradicted else next_at)
            tx.breaks.save(after, action)

        self._database.transact(work)

    def attempts(self, break_id: str) -> list[Attempt]:
        """Return the attempts of a break, oldest first."""
        return self._database.transact(lambda tx: tx.repairs.of_breaks([break_id])).get(break_id, [])

    def _concerns(self, item: Break, now: datetime) -> bool:
        if item.repair_state is RepairState.FAILED or (item.repair_next_at is not None and now < item.repair_next_at):
            return False
        # Without its attempts the break looks untried: what the policy forbids is decided all the same.
        decision = decide(self._policy(item), item, (), run_id="", now=now)
        return decision.attempt is not None or decision.state is not item.repair_state

    def _delivered(self, attempt: Attempt) -> InboxEntry | None:
        known = self._database.transact(
            lambda tx: tx.inbox.recent(source=None, outcome=None, limit=1, event_id=attempt.event_id)
        )
        return known[0] if known else None

    def _policy(self, item: Break) -> RepairPolicy:
        return self._policies.get(item.finding.repair, RepairPolicy())


def _told(item: Break, done: Attempt, at: datetime) -> TimelineEntry:
    return of_repair(
        item.shop,
        item.finding.order_id,
        repair=done.repair,
        event_id=done.event_id,
        outcome=done.outcome,
        at=at,
    )


def _decided(before: Break, decision: Decision, run_id: str, at: datetime) -> BreakAction | None:
    """Return the line for the break's history; None when nothing but a time changed."""
    attempt = decision.attempt
    if attempt is not None:
        detail = f"{attempt.repair}, attempt {attempt.number}, event {attempt.event_id}, policy on, next {attempt.next_at:%Y-%m-%d %H:%M} UTC"
        return BreakAction(at=at, actor=ACTOR, action="repair_requested", run_id=run_id, detail=detail)
    if decision.state is before.repair_state:
        return None
    action = "repair_off" if decision.state is RepairState.NONE else f"repair_{decision.state}"
    return BreakAction(at=at, actor=ACTOR, action=action, run_id=run_id, detail=decision.reason)
