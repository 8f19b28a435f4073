"""The desk where people act on breaks.

Each deed is judged by the rules, recorded in the audit trail and done in one transaction, under the locks of the runs
that it must not meet. Several deeds are done all together or not at all.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.domain.audit import canonical
from worker.domain.finding import Break
from worker.domain.intervention import (
    BREAK_LINK,
    PAST,
    Deed,
    Intervention,
    applied,
    has_lapsed,
    linked,
    may_explain,
    objections,
    reopened,
    version,
)
from worker.services.ports import BreakAction, Clock, Database, Transaction

MOST_SUGGESTIONS = 5
SEARCHED = 1000
"""Among how many open breaks, those with most at risk first, a counterpart is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One deed for one break."""

    break_id: str
    act: Intervention
    seen_version: str = ""
    """The version its author saw; a break that changed since is left alone. Empty: whatever it is now."""
    imported_by: str = ""
    """Who imported the file it stood in, where that is not its actor; a row of a file has a version always."""
    line: int = 0

    @property
    def row(self) -> str:
        """A mark of an imported row: the same row again has the same mark, and is not done twice."""
        act = self.act
        until = act.until.isoformat() if act.until else ""
        told = [self.break_id, self.seen_version, act.deed, act.actor, act.reason, act.new_owner, until, act.link_to]
        return hashlib.sha256(canonical(told).encode()).hexdigest()[:32] if self.seen_version else ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an instruction is refused."""

    line: int
    break_id: str
    column: str
    why: str

    def __str__(self) -> str:
        where = f"line {self.line}, {self.column}" if self.line else f"break {self.break_id}: {self.column}"
        return f"{where}: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What an instruction did, or would do."""

    instruction: Instruction
    before: Break
    after: Break
    repeated: bool = False
    """This very row was done by an earlier import: nothing happened now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of several instructions. With problems, nothing was done."""

    done: tuple[Done, ...] = ()
    problems: tuple[Problem, ...] = ()


class BreakDesk:
    """People's work on the breaks of one shop."""

    def __init__(self, database: Database, clock: Clock, shop: str) -> None:
        self._database = database
        self._clock = clock
        self._shop = shop

    def carry_out(self, instructions: Sequence[Instruction], *, dry_run: bool) -> Answer:
        """Do all of it, or nothing and say everything that speaks against it; `dry_run` only tells what would be."""
        return self._database.transact(lambda tx: self._carry_out(tx, instructions, dry_run=dry_run))

    def suggestions(self, item: Break) -> list[Break]:
        """Return open breaks that may explain this one, for a person to judge."""
        others = self._database.transact(lambda tx: tx.breaks.listed(self._shop, status="open", limit=SEARCHED))
        return may_explain(item, others)[:MOST_SUGGESTIONS]

    def _carry_out(self, tx: Transaction, instructions: Sequence[Instruction], *, dry_run: bool) -> Answer:
        wanted = sorted({name for one in instructions for name in (one.break_id, one.act.linked_break) if name})
        found = tx.breaks.by_ids(wanted)
        for shop, provider in sorted(
            {(item.shop, item.provider) for item in found.values() if item.shop == self._shop}
        ):
            tx.runs.lock(shop, provider)
        # Read again: what stood there before the lock may be another run's past.
        now, current = self._clock.now(), self._ours(tx.breaks.by_ids(wanted))
        repeats = _repeats(tx, instructions, current)
        done: list[Done] = []
        problems: list[Problem] = []
        actions: list[tuple[Break, BreakAction]] = []
        seen = {name: version(item) for name, item in current.items()}
        for one in instructions:
            before = current.get(one.break_id)
            against = _against(one, before, seen, current, now) if one not in repeats else []
            problems += against
            if against or before is None:
                continue
            if one in repeats:
                done.append(Done(instruction=one, before=before, after=before, repeated=True))
                continue
            for after, action in _effects(one, current, now):
                current[after.break_id] = after
                actions.append((after, action))
            done.append(Done(instruction=one, before=before, after=current[one.break_id]))
        if problems:
            return Answer(problems=tuple(problems))
        if not dry_run:
            for after, action in actions:
                tx.breaks.save(after, action)
        return Answer(done=tuple(done))

    def _ours(self, found: Mapping[str, Break]) -> dict[str, Break]:
        return {name: item for name, item in found.items() if item.shop == self._shop}


def reopen_lapsed(database: Database, shop: str, provider: str, now: datetime) -> int:
    """Reopen the breaks whose time of being ignored has ended, so that the next run looks at them; return how many."""

    def work(tx: Transaction) -> int:
        tx.runs.lock(shop, provider)
        lapsed = [item for item in tx.breaks.lapsed(shop, provider, now) if has_lapsed(item, now)]
        for item in lapsed:
            detail = "the time it was ignored for has ended"
            action = BreakAction(at=now, actor="reconciliation", action="reopened", run_id="", detail=detail)
            tx.breaks.save(reopened(item), action)
        return len(lapsed)

    return database.transact(work) if database.transact(lambda tx: tx.breaks.lapsed(shop, provider, now)) else 0


def _against(
    one: Instruction, before: Break | None, seen: Mapping[str, str], current: Mapping[str, Break], now: datetime
) -> list[Problem]:
    def problem(column: str, why: str) -> Problem:
        return Problem(one.line, one.break_id, column, why)

    if before is None:
        return [problem("break", f"there is no break {one.break_id}; `orders breaks list --status all` shows them")]
    if one.seen_version and one.seen_version != seen[one.break_id]:
        return [problem("version", "the break has changed since the export; export it again and look at it")]
    found = [problem(against.field, against.why) for against in objections(before, one.act, now)]
    other = one.act.linked_break
    if other and other not in current and not found:
        found.append(problem("link_to", f"there is no break {other}; `orders breaks list --status all` shows them"))
    return found


def _effects(one: Instruction, current: Mapping[str, Break], now: datetime) -> Iterable[tuple[Break, BreakAction]]:
    """Yield each break as it is after a deed, with the line for its history."""
    act, before = one.act, current[one.break_id]

    def action(detail: str) -> BreakAction:
        by = f"imported by {one.imported_by}" if one.imported_by else ""
        told = "; ".join(text for text in (detail, by) if text)
        return BreakAction(
            at=now, actor=act.actor, action=PAST[act.deed], run_id="", detail=told, reason=act.reason, row=one.row
        )

    yield applied(before, act, now), action(_detail(before, act))
    other = current.get(act.linked_break)
    if act.deed is Deed.LINK and other is not None and BREAK_LINK + before.break_id not in other.links:
        back = BREAK_LINK + before.break_id
        yield linked(other, back), action(back)


def _detail(before: Break, act: Intervention) -> str:
    match act.deed:
        case Deed.ASSIGN:
            return f"{before.owner or 'nobody'} -> {act.new_owner or 'nobody'}"
        case Deed.IGNORE:
            return f"until {act.until:%Y-%m-%d %H:%M} UTC" if act.until else "for good"
        case Deed.LINK:
            return act.link_to
        case Deed.REOPEN if before.settlement is not None:
            return f"was {before.settlement.how} by {before.settlement.by}"
        case _:
            return ""


def _repeats(tx: Transaction, instructions: Sequence[Instruction], current: Mapping[str, Break]) -> set[Instruction]:
    """Return the rows that an earlier import of the same file has done."""
    changed = [
        one
        for one in instructions
        if one.row and one.break_id in current and version(current[one.break_id]) != one.seen_version
    ]
    histories = tx.breaks.histories(sorted({one.break_id for one in changed}))
    return {one for one in changed if any(past.row == one.row for past in histories.get(one.break_id, ()))}
