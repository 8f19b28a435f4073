"""Breaks over runs: opened, followed, repaired, reopened; never opened or resolved by silence."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.unit.matching_books import BEFORE_WINDOW, CUT, HORIZON, JUST_NOW, LONG_AGO, SCOPE, Books, clean, line
from worker.domain.errors import Conflict
from worker.domain.finding import (
    Break,
    BreakStatus,
    Finding,
    FindingKind,
    Leg,
    Outcome,
    Repair,
    RepairState,
    SettledAs,
    Settlement,
    break_id,
)
from worker.domain.matching.lifecycle import LifecycleStep, acknowledged, advance
from worker.domain.matching.scope import Scope
from worker.domain.matching.verdict import verdict

ALL_LEGS = frozenset(Leg)
FIRST, SECOND, THIRD = (CUT + timedelta(hours=hour) for hour in (1, 2, 3))


def step(
    past: Iterable[Break],
    findings: Sequence[Finding],
    hour: int = 1,
    *,
    scope: Scope = SCOPE,
    incomplete: bool = False,
    legs_read: frozenset[Leg] = ALL_LEGS,
) -> LifecycleStep:
    return advance(
        {item.break_id: item for item in past},
        findings,
        shop="main",
        provider="stripe",
        now=CUT + timedelta(hours=hour),
        scope=scope,
        incomplete=incomplete,
        legs_read=legs_read,
    )


def broken(minor: int = 300) -> Books:
    books = clean(3)
    books.lines.append(line("lost", minor))
    return books


def opened(minor: int = 300) -> Break:
    (item,) = step([], broken(minor).payments()).upserts
    return item


def counts(done: LifecycleStep) -> tuple[int, int, int, int]:
    return done.new, done.persisting, done.reopened, done.resolved


def test_a_new_break_knows_its_first_movement_and_has_a_stable_id() -> None:
    done = step([], broken().payments())
    (item,) = done.upserts
    assert counts(done) == (1, 0, 0, 0)
    assert item.break_id == break_id("main", "stripe", Leg.PAYMENTS, "order/lost", "EUR")
    assert (item.status, item.runs_seen, item.repair_state) == (BreakStatus.NEW, 1, "none")
    assert (item.first_seen_at, item.last_seen_at, item.first_movement_at) == (FIRST, FIRST, LONG_AGO)


def test_the_same_findings_again_persist_and_keep_everything_else() -> None:
    before = opened()
    second = step([before], broken().payments(), 2)
    third = step(second.upserts, broken().payments(), 3)
    assert counts(second) == counts(third) == (0, 1, 0, 0)
    (item,) = third.upserts
    assert item == replace(before, status=BreakStatus.PERSISTING, runs_seen=3, last_seen_at=THIRD)


def test_the_same_run_applied_twice_changes_nothing() -> None:
    before = opened()
    again = step([before], broken().payments(), 1)
    assert again.upserts == (before,)
    assert counts(again) == (1, 0, 0, 0)


def test_the_class_may_change_without_a_new_break() -> None:
    before = opened()
    books = broken()
    books.lines.append(replace(books.lines[-1]))
    books.lines.append(line("lost", -300, at=BEFORE_WINDOW))
    (item,) = step([before], books.payments(), 2).upserts
    assert item.break_id == before.break_id
    assert item.finding != before.finding
    assert item.first_movement_at == BEFORE_WINDOW


def test_a_key_that_agrees_resolves_the_break() -> None:
    agreeing = [replace(f, outcome=Outcome.MATCHED) for f in broken().payments()]
    done = step([opened()], agreeing, 2)
    assert counts(done) == (0, 0, 0, 1)
    (item,) = done.upserts
    assert (item.status, item.resolved_at, item.resolution, item.repair_state) == (
        BreakStatus.RESOLVED,
        SECOND,
        "agrees again",
        "none",
    )
    asked = replace(opened(), repair_state=RepairState.REQUESTED)
    (item,) = step([asked], agreeing, 2).upserts
    assert (item.resolution, item.repair_state) == ("repaired", "done")
    assert step([item], agreeing, 3).upserts == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (RepairState.NONE, RepairState.NONE),
        (RepairState.WOULD, RepairState.NONE),
        (RepairState.REFUSED, RepairState.NONE),
        (RepairState.REQUESTED, RepairState.FAILED),
        (RepairState.FAILED, RepairState.FAILED),
    ],
)
def test_a_break_that_comes_back_keeps_its_id_and_what_was_repaired_is_for_a_person(
    before: RepairState, after: RepairState
) -> None:
    asked = replace(opened(), repair_state=before, repair_attempts=1, repair_next_at=THIRD)
    (resolved,) = step([asked], clean(3).payments(), 2).upserts
    done = step([resolved], broken().payments(), 3)
    assert counts(done) == (0, 0, 1, 0)
    (item,) = done.upserts
    assert (item.break_id, item.status, item.repair_state) == (asked.break_id, BreakStatus.REOPENED, after)
    assert (item.repair_attempts, item.repair_next_at) == (1, None)
    other = replace(resolved, finding=replace(resolved.finding, repair=Repair.DELIVER_CANCELLATION))
    (item,) = step([other], broken().payments(), 3).upserts
    assert item.repair_state is RepairState.NONE, "another message that was lost"
    assert (item.resolved_at, item.resolution, item.first_seen_at) == (None, "", FIRST)


def test_a_vanished_key_resolves_only_when_the_run_looked_back_far_enough() -> None:
    gone = clean(3).payments()
    assert counts(step([opened()], gone, 2)) == (0, 0, 0, 1)
    too_old = replace(opened(), first_movement_at=HORIZON - timedelta(seconds=1))
    assert step([too_old], gone, 2).upserts == ()
    assert step([opened()], gone, 2, incomplete=True).upserts == ()


def test_a_leg_that_was_not_read_neither_opens_nor_resolves() -> None:
    others = ALL_LEGS - {Leg.PAYMENTS}
    assert step([], broken().payments(), legs_read=others).upserts == ()
    assert step([opened()], clean(3).payments(), 2, legs_read=others, incomplete=True).upserts == ()
    agreeing = [replace(f, outcome=Outcome.MATCHED) for f in broken().payments()]
    assert step([opened()], agreeing, 2, legs_read=others).upserts == ()
    # Another source being unread does not keep this leg from being judged.
    assert counts(step([opened()], agreeing, 2, incomplete=True)) == (0, 0, 0, 1)


def test_a_break_that_fell_back_to_pending_stays_open_with_its_evidence() -> None:
    books = clean(3)
    books.lines.append(line("lost", 300, at=JUST_NOW))
    assert step([], books.payments()).upserts == ()
    before = opened()
    (item,) = step([before], books.payments(), 2).upserts
    assert (item.status, item.finding) == (BreakStatus.PERSISTING, before.finding)


def test_breaks_of_other_shops_and_providers_are_left_alone() -> None:
    assert step([replace(opened(), shop="other")], clean(3).payments(), 2).upserts == ()
    assert step([replace(opened(), provider="other")], clean(3).payments(), 2).upserts == ()


def test_two_findings_for_one_id_are_refused() -> None:
    findings = broken().payments()
    with pytest.raises(Conflict, match="order/000"):
        step([], [*findings, findings[0]])


def decided(how: SettledAs = SettledAs.RESOLVED, until: datetime | None = None) -> Break:
    settlement = Settlement(how=how, by="alice", at=SECOND, reason="written off by the owner", until=until)
    return replace(
        opened(),
        status=BreakStatus.RESOLVED,
        resolution=settlement.reason,
        resolved_at=settlement.at,
        settlement=settlement,
    )


@pytest.mark.parametrize("how", SettledAs)
def test_what_a_person_settled_stays_settled_until_the_evidence_changes(how: SettledAs) -> None:
    settled = decided(how)
    past = {settled.break_id: settled}
    findings = acknowledged(broken().payments(), past, shop="main", provider="stripe", now=THIRD)
    assert verdict(findings, [], ()) == "warnings"
    assert [f.settlement for f in findings if f.key == "order/lost"] == [settled.settlement]
    assert step([settled], findings, 3).upserts == ()
    assert step([settled], broken().payments(), 3).upserts == ()
    changed = acknowledged(broken(301).payments(), past, shop="main", provider="stripe", now=THIRD)
    assert verdict(changed, [], ()) == "breaks"
    (again,) = step([settled], changed, 3).upserts
    assert (again.status, again.settlement, again.resolution) == (BreakStatus.REOPENED, None, "")


def test_what_is_ignored_for_a_time_counts_again_afterwards() -> None:
    settled = decided(SettledAs.IGNORED, until=THIRD)
    past = {settled.break_id: settled}
    just_before = THIRD - timedelta(microseconds=1)
    ignored = acknowledged(broken().payments(), past, shop="main", provider="stripe", now=just_before)
    assert verdict(ignored, [], ()) == "warnings"
    assert acknowledged(broken().payments(), past, shop="main", provider="stripe", now=THIRD) == broken().payments()
    assert counts(step([settled], broken().payments(), 3)) == (0, 0, 1, 0)


def test_settled_differences_stand_apart_in_the_bridge_and_leave_no_residual() -> None:
    books = broken()
    books.lines.append(line("also-lost", 50))
    findings = books.payments()
    (lost,) = step([], [finding for finding in findings if finding.key == "order/lost"]).upserts
    settlement = Settlement(how=SettledAs.IGNORED, by="alice", at=SECOND, reason="known")
    past = {lost.break_id: replace(lost, status=BreakStatus.RESOLVED, settlement=settlement)}
    weighed = acknowledged(findings, past, shop="main", provider="stripe", now=THIRD)
    before, after = books.bridge(), books.bridge(findings=weighed)
    kind = FindingKind.MISSING_INTERNAL
    assert [(one.code, one.count, one.amount_minor) for one in after[0].lines if one.code != "timing"] == [
        (kind, 1, 50),
        ("settled", 1, 300),
    ]
    assert [one.residual_minor for one in after] == [one.residual_minor for one in before] == [0]
    everything = [replace(finding, settlement=settlement) for finding in findings]
    codes = [one.code for one in books.bridge(findings=everything)[0].lines if one.code != "timing"]
    assert codes == ["settled"]


def test_an_automatic_resolution_is_not_a_persons() -> None:
    (resolved,) = step([opened()], clean(3).payments(), 2).upserts
    findings = acknowledged(
        broken().payments(), {resolved.break_id: resolved}, shop="main", provider="stripe", now=THIRD
    )
    assert findings == broken().payments()
