"""The page of states: what may follow what, drawn from the tables and functions of the domain."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from infra.docs.markdown import cell, code, fence, prose, section, table
from infra.docs.markdown import page as whole
from infra.docs.told import texts_below
from worker.domain import intervention, order
from worker.domain.errors import Conflict
from worker.domain.finding import (
    OPEN_STATUSES,
    Break,
    BreakStatus,
    Fact,
    Finding,
    FindingKind,
    Leg,
    Outcome,
    Repair,
    RepairState,
    Verdict,
    break_id,
)
from worker.domain.intervention import Deed, Intervention
from worker.domain.matching import lifecycle
from worker.domain.matching.scope import Scope
from worker.domain.order import TERMINAL, TRANSITIONS, OrderState

_NOW = datetime(2026, 1, 2, tzinfo=UTC)
_EARLIER = _NOW - timedelta(days=1)

Step = tuple[str, str, str]
"""From, to, by what."""


def page() -> str:
    """Return the page."""
    return whole(
        "States",
        section(
            "An order",
            diagram(
                [str(OrderState.RECEIVED)],
                [(str(state), str(later), "") for state, steps in TRANSITIONS.items() for later in sorted(steps)],
                [str(state) for state in OrderState if state in TERMINAL],
            ),
            prose(order.__doc__ or ""),
        ),
        section(
            "A break",
            diagram(("new",), of_breaks(), ()),
            "Drawn by asking the functions that decide it (`worker/domain/matching/lifecycle.py` for runs, "
            "`worker/domain/intervention.py` for people) about a break of each status.",
            prose(lifecycle.__doc__ or ""),
            section("What people may do", prose(intervention.__doc__ or ""), level=3),
        ),
        section("The kinds of findings", _enumeration(FindingKind)),
        section("How much a finding weighs", _enumeration(Outcome)),
        section("Repairs", _enumeration(Repair), "And where the repair of a break stands:", _enumeration(RepairState)),
        section("Verdicts of a run, worst first", _enumeration(Verdict)),
    )


def diagram(first: Iterable[str], steps: Iterable[Step], last: Iterable[str]) -> str:
    """Return a state diagram."""
    lines = ["stateDiagram-v2", *(f"    [*] --> {state}" for state in first)]
    lines += [f"    {source} --> {target}" + (f": {why}" if why else "") for source, target, why in steps]
    return fence("\n".join([*lines, *(f"    {state} --> [*]" for state in last)]), "mermaid")


def of_breaks() -> list[Step]:
    """Return what leads from which status of a break to which, as the domain answers when it is asked."""
    found: dict[tuple[str, str], list[str]] = {}
    for status in BreakStatus:
        for why, after in {**_by_runs(_sample(status)), **_by_people(_sample(status))}.items():
            found.setdefault((str(status), str(after.status)), []).append(why)
    return [(source, target, ", ".join(dict.fromkeys(why))) for (source, target), why in found.items()]


def _by_runs(item: Break) -> dict[str, Break]:
    differs = item.finding
    if item.status in OPEN_STATUSES:
        seen = {
            "a run finds it again": differs,
            "a run finds it pending": replace(differs, outcome=Outcome.PENDING),
            "a run finds that both sides agree": replace(differs, outcome=Outcome.MATCHED),
        }
    else:
        seen = {"the books differ again": replace(differs, ours_minor=differs.ours_minor + 1)}
    answers: dict[str, Break] = {}
    for why, finding in seen.items():
        step = lifecycle.advance(
            {item.break_id: item},
            [finding],
            shop=item.shop,
            provider=item.provider,
            now=_NOW,
            scope=_scope(),
            incomplete=False,
            legs_read=frozenset({Leg.PAYMENTS}),
        )
        if step.upserts:
            answers[why] = step.upserts[0]
    return answers


def _by_people(item: Break) -> dict[str, Break]:
    """Return what the deeds of people make of a break; a resolved one is resolved by a person."""
    if item.status is BreakStatus.RESOLVED:
        item = intervention.applied(replace(item, status=BreakStatus.NEW), _deed(Deed.RESOLVE), _EARLIER)
    answers: dict[str, Break] = {}
    for deed in Deed:
        try:
            after = intervention.applied(item, _deed(deed), _NOW)
        except Conflict:
            continue
        if after.status is not item.status:
            answers[f"orders breaks {deed}"] = after
    return answers


def _deed(deed: Deed) -> Intervention:
    return Intervention(deed=deed, actor="a person", reason="a reason", link_to="order/1" if deed is Deed.LINK else "")


def _scope() -> Scope:
    patience = timedelta(0)
    return Scope(
        window_start=_EARLIER,
        window_end=_NOW,
        horizon_start=_EARLIER,
        payment_grace=patience,
        shipment_grace=patience,
        order_grace=patience,
    )


def _sample(status: BreakStatus) -> Break:
    fact = Fact(record="capture", reference="pi_1", amount_minor=100, currency="EUR", at=_EARLIER)
    finding = Finding(
        leg=Leg.PAYMENTS,
        key="pi_1",
        kind=FindingKind.MISSING_EXTERNAL,
        outcome=Outcome.BREAK,
        currency="EUR",
        ours_minor=100,
        theirs_minor=0,
        ours=(fact,),
    )
    item = Break(
        break_id=break_id("main", "stripe", finding.leg, finding.key, finding.currency),
        shop="main",
        provider="stripe",
        finding=finding,
        status=BreakStatus.NEW,
        first_seen_at=_EARLIER,
        last_seen_at=_EARLIER,
        first_movement_at=_EARLIER,
    )
    if status is BreakStatus.RESOLVED:
        return replace(item, status=status, resolved_at=_EARLIER, resolution=lifecycle.AGREES_AGAIN)
    return replace(item, status=status)


def _enumeration(kind: type[FindingKind | Outcome | Repair | RepairState | Verdict]) -> str:
    told: Mapping[str, str] = texts_below(kind)
    return table(("name", "meaning"), ((code(str(member)), cell(told.get(member.name, ""))) for member in kind))
