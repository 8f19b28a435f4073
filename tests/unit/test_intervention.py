"""What people may do about breaks: any sequence of deeds and runs keeps what a break promises."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.unit.matching_books import CUT, SCOPE, clean, line
from worker.domain.errors import Conflict
from worker.domain.finding import (
    OPEN_STATUSES,
    Break,
    BreakStatus,
    Finding,
    Leg,
    Outcome,
    SettledAs,
    break_id,
)
from worker.domain.intervention import (
    BREAK_LINK,
    LONGEST_REASON,
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
from worker.domain.matching.lifecycle import acknowledged, advance

NOW = CUT + timedelta(days=1)
OTHER = "0123456789abcdef"


def findings(minor: int = 300, order: str = "lost") -> tuple[Finding, ...]:
    books = clean(2)
    if minor:
        books.lines.append(line(order, minor))
    return books.payments()


def run(item: Break | None, minor: int, now: datetime) -> Break:
    """Return the break after a run that found this difference (none for 0), weighed as the service does."""
    past = {} if item is None else {item.break_id: item}
    found = acknowledged(findings(minor), past, shop="main", provider="stripe", now=now)
    step = advance(
        past,
        found,
        shop="main",
        provider="stripe",
        now=now,
        scope=SCOPE,
        incomplete=False,
        legs_read=frozenset(Leg),
    )
    (after,) = step.upserts or (item,)
    assert after is not None
    return after


OPENED = run(None, 300, NOW)


def act(deed: Deed = Deed.RESOLVE, **changes: object) -> Intervention:
    base = Intervention(
        deed=deed, actor="alice", reason="because", link_to=BREAK_LINK + OTHER if deed == "link" else ""
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def against(item: Break, one: Intervention) -> list[tuple[str, str]]:
    return [(objection.field, objection.why) for objection in objections(item, one, NOW)]


class Life(RuleBasedStateMachine):
    """A break that people and runs act on in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.item = OPENED
        self.minor = 300

    @rule(
        deed=st.sampled_from(Deed),
        actor=st.sampled_from([*["alice", "bob"] * 5, "", "reconciliation", "a\nb"]),
        reason=st.sampled_from([*["because"] * 12, "", " ", "x" * (LONGEST_REASON + 1), "bell\x07"]),
        owner=st.sampled_from(["", "", "carol", "dave"]),
        days=st.sampled_from([None, None, None, -1, 0, 1, 3]),
        other=st.sampled_from(["", "", "", BREAK_LINK + OTHER, BREAK_LINK + OPENED.break_id, "order/17", "nonsense"]),
    )
    def a_person_acts(self, deed: Deed, actor: str, reason: str, owner: str, days: int | None, other: str) -> None:
        until = None if days is None else self.now + timedelta(days=days)
        one = Intervention(deed=deed, actor=actor, reason=reason, new_owner=owner, until=until, link_to=other)
        before = self.item
        refused = objections(before, one, self.now)
        if refused:
            with pytest.raises(Conflict, match=before.break_id):
                applied(before, one, self.now)
            return
        self.item = applied(before, one, self.now)
        assert actor in {"alice", "bob"}
        assert reason == "because"
        assert self.item.revision == before.revision + 1
        assert version(self.item) != version(before)
        assert self.item.finding is before.finding
        assert (self.item.break_id, self.item.first_seen_at, self.item.runs_seen) == (
            before.break_id,
            before.first_seen_at,
            before.runs_seen,
        )

    @rule(minor=st.sampled_from([0, 300, 300, 301]), hours=st.integers(1, 40))
    def a_run_compares(self, minor: int, hours: int) -> None:
        before = self.item
        self.now += timedelta(hours=hours)
        if has_lapsed(before, self.now):
            before = reopened(before)
        decision = before.settlement
        self.item = run(before, minor, self.now)
        if decision is not None:
            holds = minor in {0, before.finding.theirs_minor} and not has_lapsed(before, self.now)
            assert (self.item.settlement == decision) is holds
        if minor:
            weighed = acknowledged(
                findings(minor), {self.item.break_id: self.item}, shop="main", provider="stripe", now=self.now
            )
            (lost,) = (one for one in weighed if one.key == "order/lost")
            assert (lost.outcome is Outcome.BREAK) is (self.item.status in OPEN_STATUSES)
            assert sum(one.difference_minor for one in weighed) == minor
        assert (self.item.owner, self.item.links, self.item.revision) == (before.owner, before.links, before.revision)

    @rule()
    @precondition(lambda self: self.item.settlement is not None)
    def what_is_settled_can_be_taken_back(self) -> None:
        self.item = applied(self.item, act(Deed.REOPEN), self.now)
        assert self.item.status is BreakStatus.REOPENED

    @invariant()
    def a_break_is_open_or_says_how_it_ended(self) -> None:
        item = self.item
        if item.status in OPEN_STATUSES:
            assert (item.settlement, item.resolved_at, item.resolution) == (None, None, "")
        else:
            assert item.resolved_at is not None
            assert item.resolution
        if item.settlement is not None:
            assert (item.settlement.at, item.settlement.reason) == (item.resolved_at, item.resolution)
            assert item.settlement.until is None or item.settlement.how is SettledAs.IGNORED

    @invariant()
    def links_are_a_sorted_set_without_itself(self) -> None:
        assert self.item.links == tuple(sorted(set(self.item.links)))
        assert BREAK_LINK + self.item.break_id not in self.item.links
        assert set(self.item.links) <= {BREAK_LINK + OTHER, "order/17"}


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)


def settled(how: Deed, **changes: object) -> Break:
    return applied(OPENED, act(how, **changes), NOW)


CLOSED = run(OPENED, 0, NOW + timedelta(hours=1))
IGNORED = settled(Deed.IGNORE, until=NOW + timedelta(days=9))
RESOLVED = settled(Deed.RESOLVE)


ALWAYS = {Deed.COMMENT, Deed.LINK}
STILL = ALWAYS | {Deed.ASSIGN, Deed.RESOLVE, Deed.IGNORE}


@pytest.mark.parametrize(
    ("item", "may"),
    [(OPENED, STILL), (IGNORED, STILL | {Deed.REOPEN}), (RESOLVED, ALWAYS | {Deed.REOPEN}), (CLOSED, ALWAYS)],
    ids=["open", "ignored", "resolved by a person", "closed by the books"],
)
def test_each_state_allows_exactly_these_deeds(item: Break, may: set[Deed]) -> None:
    found = {
        deed
        for deed in Deed
        if not objections(item, act(deed, **({"new_owner": "bob"} if deed is Deed.ASSIGN else {})), NOW)
    }
    assert found == may


@pytest.mark.parametrize(
    ("item", "one", "field", "says"),
    [
        (OPENED, act(actor=""), "actor", "missing"),
        (OPENED, act(actor="reconciliation"), "actor", "the engine's own name"),
        (OPENED, act(actor="al\x1bice"), "actor", "characters that print"),
        (OPENED, act(actor="x" * 129), "actor", "at most 128"),
        (OPENED, act(reason="  "), "reason", "say why"),
        (OPENED, act(reason="two\nlines"), "reason", "line break"),
        (OPENED, act(reason="\u202egnp.exe"), "reason", "does not print"),
        (OPENED, act(reason="x" * 2001), "reason", "longer than 2000"),
        (OPENED, act(Deed.IGNORE, until=NOW), "until", "in the future"),
        (OPENED, act(Deed.RESOLVE, until=NOW + timedelta(1)), "until", "no place in resolve"),
        (OPENED, act(Deed.COMMENT, new_owner="bob"), "new_owner", "no place in comment"),
        (OPENED, act(Deed.COMMENT, link_to="order/1"), "link_to", "no place in comment"),
        (OPENED, act(Deed.ASSIGN), "new_owner", "nobody has it"),
        (
            applied(OPENED, act(Deed.ASSIGN, new_owner="bob"), NOW),
            act(Deed.ASSIGN, new_owner="bob"),
            "new_owner",
            "bob",
        ),
        (OPENED, act(Deed.LINK, link_to="order 1"), "link_to", "must read break/ID, order/ID"),
        (OPENED, act(Deed.LINK, link_to=BREAK_LINK + OPENED.break_id), "link_to", "explain itself"),
        (linked(OPENED, "order/1"), act(Deed.LINK, link_to="order/1"), "link_to", "already"),
        (OPENED, act(Deed.REOPEN), "action", "it is open"),
        (CLOSED, act(Deed.REOPEN), "action", "opens by itself"),
        (CLOSED, act(Deed.RESOLVE), "action", "the books agree"),
        (RESOLVED, act(Deed.IGNORE), "action", "resolved already, by alice"),
        (IGNORED, act(Deed.IGNORE, until=NOW + timedelta(days=9)), "action", "until that time"),
    ],
)
def test_what_is_refused_says_which_part_is_to_blame(item: Break, one: Intervention, field: str, says: str) -> None:
    ((found, why),) = against(item, one)
    assert found == field
    assert says in why


def test_every_objection_is_listed() -> None:
    found = against(RESOLVED, act(Deed.IGNORE, actor="", reason="", until=NOW, new_owner="x"))
    assert [field for field, _ in found] == ["actor", "reason", "until", "new_owner", "action"]


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs", "M"]), min_size=1, max_size=30))
def test_words_of_any_script_are_a_reason(text: str) -> None:
    spaces = str.maketrans({char: " " for char in text if char.isspace()})
    assert against(OPENED, act(reason=f"x {text.translate(spaces)} \U0001f469\u200d\U0001f4bb\u00a0\u202f!")) == []


def test_the_version_outlives_a_run_that_sees_the_same_and_no_other() -> None:
    later = NOW + timedelta(hours=5)
    assert version(run(OPENED, 300, later)) == version(OPENED)
    assert version(run(OPENED, 301, later)) != version(OPENED)
    assert version(run(OPENED, 0, later)) != version(OPENED)


def test_a_counterpart_is_suggested_by_its_amount_and_left_to_a_person() -> None:
    def other(name: str, difference: int, currency: str = "EUR", shop: str = "main") -> Break:
        found = replace(OPENED.finding, key=name, ours_minor=0, theirs_minor=difference, currency=currency)
        return replace(
            OPENED, break_id=break_id(shop, "paypal", Leg.PAYMENTS, name, currency), finding=found, shop=shop
        )

    opposite, same = other("a", -300), other("b", 300)
    rest = [same, other("c", -299), other("d", -300, "USD"), other("e", -300, shop="else")]
    closed = replace(other("f", -300), status=BreakStatus.RESOLVED)
    assert may_explain(OPENED, [OPENED, *rest, closed, opposite]) == [opposite]
    assert may_explain(linked(OPENED, BREAK_LINK + opposite.break_id), [opposite]) == []
    nothing = replace(OPENED, finding=replace(OPENED.finding, ours_minor=5, theirs_minor=5))
    assert may_explain(nothing, [replace(nothing, break_id="x")]) == []
