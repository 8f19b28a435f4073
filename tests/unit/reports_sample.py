"""A finished run with something of everything, for the tests of the report."""

from datetime import UTC, datetime, timedelta

from worker.domain.finding import (
    Break,
    BreakStatus,
    Fact,
    Finding,
    FindingKind,
    Leg,
    Outcome,
    Repair,
    RepairState,
    RollForward,
    Statement,
    StatementLine,
    break_id,
)
from worker.domain.finding_codec import finding_text
from worker.services.ports import BreakAction, Run

END = datetime(2026, 11, 22, 14, tzinfo=UTC)
START = END - timedelta(hours=1)
SHOP, PROVIDER = "main", "stripe"


def fact(record: str, reference: str, minor: int | None, currency: str, at: datetime, status: str = "") -> Fact:
    return Fact(record=record, reference=reference, amount_minor=minor, currency=currency, at=at, status=status)


def worded(one: Finding) -> tuple[Finding, str]:
    """Return a finding with its text, as a run is stored with it."""
    return one, finding_text(one)


def finding(
    order_id: str,
    kind: FindingKind,
    *,
    ours: int,
    theirs: int,
    age: timedelta,
    currency: str = "EUR",
    leg: Leg = Leg.PAYMENTS,
    outcome: Outcome = Outcome.BREAK,
    at_risk: int | None = None,
    cause: str = "",
    repair: Repair = Repair.NONE,
) -> Finding:
    at = END - age
    return Finding(
        leg=leg,
        key=f"order/{order_id}",
        kind=kind,
        outcome=outcome,
        currency=currency,
        ours_minor=ours,
        theirs_minor=theirs,
        at_risk_minor=abs(theirs - ours) if at_risk is None else at_risk,
        order_id=order_id,
        break_on=END + timedelta(minutes=35) if outcome is Outcome.PENDING else None,
        cause=cause,
        ours=(fact("capture", f"pi_{order_id}", ours, currency, at, "captured"),) if ours else (),
        theirs=(fact("charge", f"ch_{order_id}", theirs, currency, at, "available"),) if theirs else (),
        repair=repair,
        repair_reference=order_id if repair is not Repair.NONE else "",
    )


def followed(
    one: Finding, status: BreakStatus, *, age: timedelta, runs: int = 1, repair_state: RepairState = RepairState.NONE
) -> Break:
    gone = status is BreakStatus.RESOLVED
    return Break(
        break_id=break_id(SHOP, PROVIDER, one.leg, one.key, one.currency),
        shop=SHOP,
        provider=PROVIDER,
        finding=one,
        status=status,
        first_seen_at=END - age + timedelta(hours=1),
        last_seen_at=END,
        first_movement_at=END - age,
        runs_seen=runs,
        repair_state=repair_state,
        resolved_at=END + timedelta(seconds=2) if gone else None,
        resolution=("repaired" if repair_state is RepairState.DONE else "agrees again") if gone else "",
    )


LOST = finding(
    "450789469",
    FindingKind.MISSING_INTERNAL,
    ours=0,
    theirs=12990,
    age=timedelta(hours=5),
    cause="The provider took the money, but its payment event never reached us: the order still waits for payment.",
    repair=Repair.DELIVER_PAYMENT,
)
TWICE = finding(
    "450789512",
    FindingKind.DUPLICATE_EXTERNAL,
    ours=5950,
    theirs=11900,
    age=timedelta(days=2),
    cause="Two charges of the same amount 4 s apart: the customer probably clicked twice.",
)
SHORT = finding(
    "450789533",
    FindingKind.AMOUNT_UNDER,
    ours=28050,
    theirs=25500,
    age=timedelta(days=4),
    cause="The provider captured less than we booked; a line was probably removed before capture.",
)
UNSHIPPED = finding(
    "450789601",
    FindingKind.PAID_UNSHIPPED,
    ours=184000,
    theirs=184000,
    age=timedelta(days=9),
    currency="JPY",
    leg=Leg.SHIPMENTS,
    at_risk=184000,
    cause="Paid nine days ago; the warehouse knows no parcel for it.",
)
REFUND = finding(
    "450789644",
    FindingKind.REFUND_MISSING,
    ours=-4900,
    theirs=0,
    age=timedelta(hours=20),
    currency="USD",
    cause="We booked a refund the provider has not made.",
)
WAITING = tuple(
    finding(
        f"4507897{index:02}",
        FindingKind.MISSING_EXTERNAL,
        ours=minor,
        theirs=0,
        age=timedelta(minutes=8 + index),
        outcome=Outcome.PENDING,
        at_risk=0,
    )
    for index, minor in enumerate((4900, 1999, 12500, 799))
)
STRANGE = finding(
    "450789800",
    FindingKind.UNCLASSIFIED,
    ours=0,
    theirs=-150,
    age=timedelta(minutes=30),
    outcome=Outcome.WARNING,
    cause="The provider books a movement of type 'network_cost' that is not known here.",
)
FINDINGS = (LOST, TWICE, SHORT, UNSHIPPED, REFUND, *WAITING, STRANGE)
BREAKS = (
    followed(LOST, BreakStatus.NEW, age=timedelta(hours=5), repair_state=RepairState.REQUESTED),
    followed(TWICE, BreakStatus.PERSISTING, age=timedelta(days=2), runs=47),
    followed(SHORT, BreakStatus.PERSISTING, age=timedelta(days=4), runs=95),
    followed(UNSHIPPED, BreakStatus.REOPENED, age=timedelta(days=9), runs=160),
    followed(REFUND, BreakStatus.NEW, age=timedelta(hours=20)),
)
RESOLVED = (
    followed(
        finding(
            "450789301",
            FindingKind.MISSING_INTERNAL,
            ours=7400,
            theirs=7400,
            at_risk=7400,
            age=timedelta(hours=7),
            repair=Repair.DELIVER_PAYMENT,
        ),
        BreakStatus.RESOLVED,
        age=timedelta(hours=7),
        runs=2,
        repair_state=RepairState.DONE,
    ),
    followed(
        finding("450789302", FindingKind.AMOUNT_OVER, ours=1000, theirs=1000, at_risk=25, age=timedelta(hours=9)),
        BreakStatus.RESOLVED,
        age=timedelta(hours=9),
        runs=3,
    ),
)
HISTORY = {
    BREAKS[0].break_id: [
        BreakAction(at=END, actor="reconciliation", action="found", run_id="r-20261122-14"),
        BreakAction(
            at=END + timedelta(seconds=1),
            actor="reconciliation",
            action="repair_requested",
            run_id="r-20261122-14",
            detail="deliver the payment event of order 450789469",
        ),
    ]
}


def line(code: str, label: str, count: int, minor: int) -> StatementLine:
    return StatementLine(code=code, label=label, count=count, amount_minor=minor)


STATEMENTS = (
    Statement(
        currency="EUR",
        ours_minor=1204318,
        theirs_minor=1200510,
        lines=(
            line("pending_missing_external", "Within grace: not yet at the provider", 4, -20198),
            line("missing_internal", "Missing in our books", 1, 12990),
            line("amount_under", "They show less than we do", 1, -2550),
            line("amount_over", "They show more than we do", 0, 0),
            line("duplicate_external", "Charged twice", 1, 5950),
            line("unclassified", "Movements of an unknown type", 1, -150),
            line("timing", "Outside the window on one side", 2, 150),
        ),
        fees_minor=37815,
        net_minor=1162695,
        roll=RollForward(
            previous_run="r-20261122-13",
            opening_count=2,
            opening_minor=3400,
            lines=(
                line("movements", "Moved in the window, theirs less ours", 0, -3808),
                line("late", "Dated before the window, known only since", 3, -3550),
            ),
            closing_count=8,
            closing_minor=-3958,
            opened=6,
            cleared=0,
        ),
    ),
    Statement(
        currency="USD",
        ours_minor=90100,
        theirs_minor=95000,
        lines=(line("refund_missing", "Refund not made by the provider", 1, 4900),),
        fees_minor=2845,
        net_minor=92155,
    ),
)
RUN = Run(
    run_id="r-20261122-14",
    shop=SHOP,
    provider=PROVIDER,
    window_start=START,
    window_end=END,
    source="api",
    requested_by="schedule",
    workflow_id="reconcile/main/stripe-2026-11-22T14:00:00Z",
    started_at=END + timedelta(seconds=1),
    finished_at=END + timedelta(seconds=3, milliseconds=400),
    verdict="breaks",
    counts={
        "matched": 96,
        "pending": 4,
        "warnings": 1,
        "breaks": 5,
        "breaks_open": 5,
        "breaks_new": 2,
        "breaks_persisting": 3,
        "breaks_resolved": 2,
        "repairs_requested": 1,
        "at_risk_minor_EUR": 21490,
        "at_risk_minor_JPY": 184000,
        "at_risk_minor_USD": 4900,
    },
)
EARLIER = tuple(
    Run(
        run_id=f"r-{index}",
        shop=SHOP,
        provider=PROVIDER,
        window_start=START - timedelta(hours=index),
        window_end=END - timedelta(hours=index),
        source="api",
        requested_by="schedule",
        workflow_id="reconcile/main/stripe",
        started_at=END - timedelta(hours=index) + timedelta(seconds=1),
        finished_at=END - timedelta(hours=index) + timedelta(seconds=4),
        verdict="breaks",
        counts={
            "matched": 90 + (index * 7) % 23,
            "pending": index % 5,
            "breaks": (index * 5) % 7,
            "breaks_open": (index * 5) % 7 + 1,
            "at_risk_minor_EUR": (index * 7919) % 31000,
            "at_risk_minor_JPY": 184000,
        },
    )
    for index in range(1, 18)
)
