"""Every named harm is found exactly, alone and among others; every rule fires on some harm and on no clean books."""

import ast
import functools
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.local.books.plan import Plan
from infra.local.books.records import order_id
from infra.local.books.story import Story
from tests.books.filled import Filled, Judgement, filled
from tests.books.harm import Expected, Mutation
from tests.books.mutations import ALONE, MUTATIONS
from worker.domain import matching
from worker.domain.finding import Finding, FindingKind, Leg, Outcome, Verdict
from worker.domain.matching import issue
from worker.domain.matching.issue import Issue
from worker.domain.matching.rollforward import APART
from worker.domain.matching.verdict import verdict

CLEAN = filled(Plan(size=70, seed=2210, days=2))
"""Small, and yet every course, currency and mutation finds its order in it."""
MANY = filled(Plan(size=260, seed=11, days=2))
"""Large enough for every mutation at once."""
RULES = Path(next(iter(matching.__path__)))
EVERY = (*MUTATIONS, *ALONE)
CHOICES = st.lists(st.tuples(st.sampled_from(MUTATIONS), st.integers(0, 10**6)), max_size=9)


def harmed(choices: Sequence[tuple[Mutation, int]], clean: Filled = MANY) -> tuple[Filled, list[Expected]]:
    """Harm a copy of clean books, each time another order; return it and what must be found."""
    books, expected, used = clean.copy(), [], set()
    for mutation, chance in choices:
        fitting = [story for story in clean.stories.values() if mutation.fits(story) and story.number not in used]
        if fitting:
            story = fitting[chance % len(fitting)]
            used.add(story.number)
            expected += mutation.harm(books, story)
    return books, expected


def must_be(books: Filled, expected: list[Expected]) -> Judgement:
    """Judge the books; what is found must be what was expected, and everything must add up."""
    answer = books.judged()
    found = Counter(Expected.of(finding) for finding in answer.told)
    # Of clean books a rule tells that returned goods were paid back; no mutation harms such an order.
    assert found - Counter(Expected.of(finding) for finding in _clean_of(books).told) == Counter(expected)
    assert {statement.residual_minor for statement in answer.statements} == {0}
    ranks = {Outcome.BREAK: Verdict.BREAKS, Outcome.WARNING: Verdict.WARNINGS, Outcome.PENDING: Verdict.PENDING}
    outcomes = {one.outcome for one in expected}
    assert answer.verdict is next((ranks[o] for o in ranks if o in outcomes), Verdict.RECONCILED)
    assert verdict(answer.findings, answer.statements, ("a source was not read",)) is Verdict.INCOMPLETE
    told = {(s.currency, line.code): line.amount_minor for s in answer.statements for line in s.lines}
    due: dict[tuple[str, str], int] = {}
    for one in expected:
        code = f"pending_{one.kind}" if one.outcome is Outcome.PENDING else str(one.kind)
        if one.leg == Leg.PAYMENTS and one.kind not in APART:
            due[one.currency, code] = due.get((one.currency, code), 0) + one.theirs - one.ours
    # The bridge tells each class's part of the difference, and nothing but these and the timing.
    for currency, code in told.keys() - due.keys():
        assert code == "timing", (currency, code)
    assert {name: told.get(name, 0) for name in due} == due
    return answer


@functools.cache
def _told_clean(books: str) -> Judgement:
    return {"CLEAN": CLEAN, "MANY": MANY}[books].judged()


def _clean_of(books: Filled) -> Judgement:
    return _told_clean("CLEAN" if books.plan == CLEAN.plan else "MANY")


def candidates(mutation: Mutation) -> list[Story]:
    return [story for story in CLEAN.stories.values() if mutation.fits(story)]


@pytest.mark.parametrize("mutation", EVERY, ids=lambda mutation: mutation.name)
def test_each_harm_alone_is_found_exactly(mutation: Mutation) -> None:
    stories = candidates(mutation)
    assert stories, "the clean books have no order that this may happen to"
    # The first, and one whose lines do not name their order: only our payment reference knows it then.
    for story in {stories[0].number: stories[0], **{s.number: s for s in stories if not s.named}}.values():
        books = CLEAN.copy()
        must_be(books, mutation.harm(books, story))


@settings(max_examples=40, deadline=None)
@given(CHOICES)
def test_harms_of_different_orders_are_each_found_as_if_alone(choices: list[tuple[Mutation, int]]) -> None:
    must_be(*harmed(choices, CLEAN))


def test_all_harms_at_once_are_all_found() -> None:
    books, expected = harmed([(mutation, 3) for mutation in MUTATIONS])
    answer = must_be(books, expected)
    assert len(expected) > len(MUTATIONS), "some mutation found no order left to harm"
    assert len({one.kind for one in expected}) >= 15
    assert sum(finding.at_risk_minor for finding in answer.exceptions) == sum(one.risk for one in expected)


def test_plus_and_minus_the_same_are_two_findings() -> None:
    by_name = {mutation.name: mutation for mutation in MUTATIONS}
    books, expected = harmed([(by_name["their_amount_less"], 0), (by_name["their_amount_more"], 0)])
    assert len(must_be(books, expected).exceptions) == 2


# ---- every rule -----------------------------------------------------------------------------------------------------

Site = tuple[str, int]
MODULES = ("orders", "payments", "shipments", "payouts", "bank")
"""The module of each leg, in the order of the legs."""


def rules() -> set[Site]:
    """Every place that says something is wrong: file and line of each `Issue(...)`."""
    return {
        (path.name, node.lineno)
        for path in RULES.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Issue"
    }


@contextmanager
def watched(patch: pytest.MonkeyPatch) -> Iterator[set[Site]]:
    """Note where the issues come from that findings are concluded from."""
    fired: set[Site] = set()
    made: dict[int, tuple[Issue, Site]] = {}
    make, conclude = Issue.__init__, issue.conclude

    def noted(self: Issue, **fields: object) -> None:
        make(self, **fields)  # type: ignore[arg-type]
        caller = sys._getframe(1)
        made[id(self)] = (self, (Path(caller.f_code.co_filename).name, caller.f_lineno))

    def concluded(key: Finding, issues: Iterable[Issue], *rest: Any) -> Finding:
        issues = tuple(issues)
        fired.update(made[id(each)][1] for each in issues)
        return conclude(key, issues, *rest)

    with patch.context() as patched:
        patched.setattr(Issue, "__init__", noted)
        for name in MODULES:
            patched.setattr(f"worker.domain.matching.{name}.conclude", concluded)
        yield fired


def test_every_rule_fires_on_some_harm_and_none_on_clean_books(monkeypatch: pytest.MonkeyPatch) -> None:
    with watched(monkeypatch) as fired:
        clean = CLEAN.judged()
        assert clean.verdict is Verdict.RECONCILED
        assert {finding.kind for finding in clean.told} == {FindingKind.REVERSED_AFTER_FULFILMENT}
        assert len(fired) == 1, "that a returned order was paid back is told, and allowed"
        fired.clear()
        for mutation in EVERY:
            books = CLEAN.copy()
            mutation.harm(books, candidates(mutation)[0])
            books.judged()
    silent = sorted(rules() - fired)
    assert silent == [], "no harm in tests/books/mutations.py makes these rules fire: add one"
    assert len(fired) > 25


def test_every_class_of_finding_is_among_the_harms() -> None:
    kinds: set[tuple[str, str]] = set()
    for mutation in EVERY:
        books = CLEAN.copy()
        kinds |= {(one.leg, one.kind) for one in mutation.harm(books, candidates(mutation)[0])}
    possible = {
        (leg, kind)
        for leg, module in zip(Leg, MODULES, strict=True)
        for kind in sys.modules[f"worker.domain.matching.{module}"].SEVERITY
    }
    # No issue of a key, but a finding of its own.
    possible |= {(Leg.PAYMENTS, FindingKind.FX_DIFFERENCE)}
    assert possible - kinds == set()


def test_the_one_with_the_most_wrong_is_still_one_finding_per_leg() -> None:
    """Findings have one key and currency each, whatever happens to an order."""
    books, _ = harmed([(mutation, 1) for mutation in MUTATIONS])
    found: list[Finding] = list(books.judged().findings)
    assert len({(finding.leg, finding.key, finding.currency) for finding in found}) == len(found)
    assert order_id(next(iter(CLEAN.stories.values()))) in {finding.order_id for finding in found}
