"""Reconciliation on real books: the same run twice is one run, an unread source is never green, a repair really repairs."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from tests.integration.office import Office
from tests.integration.own_database import at_once
from worker.contract.events import ProviderEvent
from worker.contract.reconciliation import Reconcile
from worker.domain.errors import SourceUnreadable
from worker.domain.finding import (
    Break,
    BreakStatus,
    Finding,
    FindingKind,
    Leg,
    Outcome,
    Repair,
    SettledAs,
    Settlement,
    Verdict,
)
from worker.domain.intervention import Deed, Intervention
from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.order import OrderState
from worker.domain.window import Span
from worker.reports.model import build
from worker.reports.trend import open_at_risk
from worker.services.audit import verify
from worker.services.break_desk import BreakDesk, Instruction
from worker.services.ports import RejectedRow, Run, StatementFile
from worker.services.reporting import run_record

_numbers = count(1)
LEDGER = "GET /stripe/v1/balance_transactions"
SHOP = "GET /shopify/admin/api/*/orders.json"
WAREHOUSE = "GET /warehouse/v1/fulfilments"


def order_ids(office: Office, number: int) -> list[str]:
    """Take some orders of our own to their end."""
    made = [f"own-{next(_numbers)}" for _ in range(number)]
    for order_id in made:
        office.complete(order_id)
    return made


def told(office: Office, order_id: str, topic: str = "orders/paid") -> str:
    """Deliver what the shop would have told us."""
    event = ProviderEvent(
        source="shopify",
        dialect="shopify",
        shop="main",
        event_id=f"{topic}-{order_id}".replace("/", "-"),
        topic=topic,
        body=office.outside.shop().order_document(order_id),
        received_at=office.clock.now().isoformat(),
    )
    return office.deliver(event)


def bought(office: Office) -> str:
    """Sell one order in the shop and take it to its end."""
    order_id = office.outside.buy()
    told(office, order_id)
    office.fulfil(order_id)
    office.ship(order_id)
    return order_id


def findings_of(office: Office, run: Run) -> list[Finding]:
    found = office.database.transact(lambda tx: tx.runs.findings(run.run_id))
    return sorted(found, key=lambda finding: (finding.leg, finding.key))


def open_breaks(office: Office) -> list[Break]:
    return office.database.transact(lambda tx: tx.breaks.open("main", "stripe"))


def counted(run: Run, *names: str) -> list[int]:
    assert run.counts is not None
    return [run.counts[name] for name in names]


def residuals(office: Office, run: Run) -> set[int]:
    bridges = office.database.transact(lambda tx: tx.runs.statements(run.run_id))
    return {bridge.residual_minor for bridge in bridges}


def stored(office: Office, run: Run) -> Run | None:
    return office.database.transact(lambda tx: tx.runs.get(run.run_id))


def watermark(office: Office) -> datetime | None:
    return office.database.transact(lambda tx: tx.runs.watermark("main", "stripe"))


def test_books_that_agree_are_green_to_the_cent(office: Office, start: datetime) -> None:
    own = order_ids(office, 2)
    sold = [bought(office), bought(office)]
    refunded = f"own-{next(_numbers)}"
    office.pay(refunded)
    office.reverse(refunded, OrderState.REFUNDED)
    run = office.reconcile(office.span(start), "agree")
    assert findings_of(office, run) == []
    assert run.verdict == Verdict.RECONCILED
    assert residuals(office, run) == {0}
    (bridge,) = office.database.transact(lambda tx: tx.runs.statements("agree"))
    assert bridge.ours_minor == bridge.theirs_minor == 2500 * len(own + sold)
    assert bridge.fees_minor > 0
    assert stored(office, run) == run
    assert watermark(office) == run.window_end


def roll_of(office: Office, run: Run) -> tuple[str, int, dict[str, int], int]:
    (bridge,) = office.database.transact(lambda tx: tx.runs.statements(run.run_id))
    assert bridge.ties
    roll = bridge.roll
    assert roll is not None
    return roll.previous_run, roll.opening_minor, {s.code: s.amount_minor for s in roll.lines}, roll.closing_minor


def test_open_items_roll_forward_from_run_to_run(office: Office, start: datetime) -> None:
    order_ids(office, 1)
    lost = office.outside.buy()
    first = office.reconcile(office.span(start), "first")
    previous, _, _, closing = roll_of(office, first)
    assert (previous, closing) == ("", 2500)
    # What was lost is booked late, dated when the money moved: before the window of the next run.
    told(office, lost)
    bought(office)
    second = office.reconcile(office.span(first.window_end), "second")
    assert roll_of(office, second) == ("first", 2500, {"changed": -2500}, 0)
    third = office.reconcile(office.span(second.window_end), "third")
    assert roll_of(office, third) == ("second", 0, {}, 0)
    # A window that nothing ends at the start of opens with its own books.
    apart = office.reconcile(Span(first.window_start, third.window_end), "apart")
    assert roll_of(office, apart)[:2] == ("", 0)


def settle(office: Office, item: Break, reason: str) -> None:
    now = office.clock.now()
    decision = Settlement(how=SettledAs.RESOLVED, by="ada", at=now, reason=reason)
    done = replace(item, status=BreakStatus.RESOLVED, resolved_at=now, resolution=reason, settlement=decision)
    office.database.transact(lambda tx: tx.breaks.save(done, None))


def test_what_a_person_settled_stays_in_the_statement_and_is_no_break(office: Office, start: datetime) -> None:
    office.outside.buy()
    first = office.reconcile(office.span(start), "found")
    assert open_at_risk(first.counts) == {"EUR": sum(item.finding.at_risk_minor for item in open_breaks(office))}
    assert open_at_risk(first.counts) != {"EUR": 0}
    for item in open_breaks(office):
        settle(office, item, "written off: ticket 7")
    again = office.reconcile(Span(first.window_start, first.window_end), "settled")
    assert (first.verdict, again.verdict) == (Verdict.BREAKS, Verdict.WARNINGS)
    assert {finding.settlement.reason for finding in findings_of(office, again) if finding.settlement} == {
        "written off: ticket 7"
    }
    (bridge,) = office.database.transact(lambda tx: tx.runs.statements("settled"))
    assert [line.code for line in bridge.lines] == ["settled"]
    assert roll_of(office, again)[3] == 0
    assert open_breaks(office) == []
    assert open_at_risk(again.counts) == {}


def test_rows_of_a_file_that_could_not_be_read_are_findings_of_an_incomplete_run(
    office: Office, start: datetime
) -> None:
    (order_id,) = order_ids(office, 1)
    (entry,) = office.entries_of(order_id)
    line = LedgerLine(
        line_id="txn_1",
        provider="stripe",
        kind=LineKind.CHARGE,
        currency="EUR",
        gross_minor=entry.amount_minor,
        fee_minor=0,
        net_minor=entry.amount_minor,
        created_at=entry.occurred_at,
        payment_reference=entry.payment_reference,
        payout_id="po_1",
    )
    paid_out = replace(
        line, line_id="txn_2", kind=LineKind.PAYOUT, gross_minor=-2000, net_minor=-2000, payment_reference=""
    )
    file = StatementFile(
        sha256="f" * 64,
        shop="main",
        provider="stripe",
        format="stripe",
        name="july.csv",
        imported_at=start,
        rows=3,
        rejected=1,
        first_at=line.created_at,
        last_at=line.created_at,
        checks={},
    )
    row = RejectedRow(line=7, column="net", reason="not a plain decimal amount")
    office.lake.keep(file.shop, file.provider, file.sha256, [line, paid_out])
    office.database.transact(lambda tx: tx.statements.add(file, [row]))
    request = Reconcile(shop="main", provider="stripe", statement_sha256=file.sha256)
    span = office.reconciliation.window(request, office.clock.now())
    run = office.reconciliation.run(
        request, span, run_id="file", workflow_id="w-file", give_up=False, progress=lambda _: None
    )
    assert run.verdict == Verdict.INCOMPLETE
    told = {finding.kind: (finding.leg, finding.difference_minor) for finding in findings_of(office, run)}
    assert told[FindingKind.REJECTED_ROW] == (Leg.PAYMENTS, 0)
    assert told[FindingKind.PAYOUT_INCOMPLETE] == (Leg.PAYOUTS, -500)
    (cause,) = [f.cause for f in findings_of(office, run) if f.kind is FindingKind.REJECTED_ROW]
    assert cause == "july.csv, line 7, column net: not a plain decimal amount"


def test_the_same_run_twice_is_one_run(office: Office, start: datetime) -> None:
    office.outside.buy()
    span = office.span(start)
    first = office.reconcile(span, "once")
    office.outside.buy()
    assert office.reconcile(span, "once") == first, "a finished run is answered, not done again"
    assert [item.runs_seen for item in open_breaks(office)] == [1] * len(open_breaks(office))


def test_the_same_window_again_finds_the_same(office: Office, start: datetime) -> None:
    order_ids(office, 1)
    office.outside.buy()
    span = office.span(start)
    first = office.reconcile(span, "one")
    ids = {item.break_id for item in open_breaks(office)}
    office.outside.buy()
    second = office.reconcile(span, "two")
    assert findings_of(office, second) == findings_of(office, first), "what came later belongs to a later window"
    bridges = [office.database.transact(lambda tx, name=name: tx.runs.statements(name)) for name in ("one", "two")]  # type: ignore[misc]
    assert bridges[0] == bridges[1]
    assert {item.break_id for item in open_breaks(office)} == ids
    assert counted(first, "breaks_new", "breaks_open") == [len(ids), len(ids)]
    assert counted(second, "breaks_new", "breaks_open") == [0, len(ids)]
    assert watermark(office) == span.end


def test_overlapping_runs_at_once_count_a_break_once(office: Office, start: datetime) -> None:
    for _ in range(3):
        office.outside.buy()
    late = office.span(start)
    early = Span(late.start - timedelta(minutes=30), late.end)
    runs = at_once(4, lambda number: office.reconcile([late, early][number % 2], f"run-{number}"))
    breaks = open_breaks(office)
    assert len({(item.finding.leg, item.finding.key) for item in breaks}) == len(breaks)
    assert sum(counted(run, "breaks_new")[0] for run in runs) == len(breaks) > 0
    for item in breaks:
        history = office.database.transact(lambda tx, item=item: tx.breaks.history(item.break_id))  # type: ignore[misc]
        assert [action.action for action in history] == ["found"]


@pytest.mark.parametrize(("route", "name"), [(LEDGER, "ledger"), (SHOP, "shop"), (WAREHOUSE, "warehouse")])
def test_a_source_that_cannot_be_read_is_never_green(office: Office, start: datetime, route: str, name: str) -> None:
    order_ids(office, 1)
    span = office.span(start)
    office.outside.fault(route, "status", status=500, times=None)
    for _ in range(2):
        with pytest.raises(SourceUnreadable):
            office.reconcile(span, "unread")
    pending = office.database.transact(lambda tx: tx.runs.get("unread"))
    assert pending is not None
    assert (pending.finished_at, pending.verdict) == (None, "")
    before = watermark(office)
    run = office.reconcile(span, "unread", give_up=True)
    assert run.verdict == Verdict.INCOMPLETE
    assert any(name in reason for reason in run.incomplete_because)
    assert open_breaks(office) == [], "silence is no evidence"
    assert watermark(office) == before, "the window has still to be done"
    office.outside.heal()
    assert office.reconcile(span, "read").verdict == Verdict.RECONCILED
    assert watermark(office) == span.end


def test_an_unread_source_resolves_nothing(office: Office, start: datetime) -> None:
    office.outside.buy()
    span = office.span(start)
    office.reconcile(span, "finds")
    found = open_breaks(office)
    assert found
    office.repaired("finds")
    for route in (LEDGER, SHOP, WAREHOUSE):
        office.outside.fault(route, "status", status=500, times=None)
    office.reconcile(office.span(start), "blind", give_up=True)
    assert {item.break_id for item in open_breaks(office)} >= {item.break_id for item in found}


def test_a_run_that_died_is_done_again_under_its_name(
    office: Office, start: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.outside.buy()
    span = office.span(start)
    real = office.database.transact

    def dying(work: Callable[..., Any]) -> Any:
        if "_store" in getattr(work, "__code__", work).co_names:  # type: ignore[union-attr]  # a lambda has code
            raise KeyboardInterrupt
        return real(work)

    with monkeypatch.context() as patched:
        patched.setattr(office.database, "transact", dying)
        with pytest.raises(KeyboardInterrupt):
            office.reconcile(span, "died")
    assert open_breaks(office) == []
    run = office.reconcile(span, "died")
    assert run.finished_at is not None
    assert counted(run, "breaks_new") == [len(open_breaks(office))]


def test_a_lost_order_is_repaired_by_its_own_message_and_resolved_by_the_next_run(
    office: Office, start: datetime
) -> None:
    order_id = office.outside.buy()
    first = office.reconcile(office.span(start), "first")
    assert first.verdict == Verdict.BREAKS
    assert residuals(office, first) == {0}
    kinds = {(item.finding.kind, item.finding.order_id) for item in open_breaks(office)}
    assert (FindingKind.MISSING_INTERNAL, order_id) in kinds
    assert office.repaired("first") > 0
    assert office.order(order_id).state is OrderState.PAID
    assert office.booked(order_id) == [2500]
    office.fulfil(order_id)
    office.ship(order_id)
    second = office.reconcile(office.span(start), "second")
    assert (second.verdict, open_breaks(office)) == (Verdict.RECONCILED, [])
    assert counted(second, "breaks_open", "breaks_resolved") == [0, counted(first, "breaks_open")[0]]
    past = office.database.transact(lambda tx: tx.breaks.listed("main", status="resolved", limit=10))
    for item in past:
        history = office.database.transact(lambda tx, item=item: tx.breaks.history(item.break_id))  # type: ignore[misc]
        assert [history[0].action, history[-1].action] == ["found", "resolved"]
        assert [action.run_id for action in history][-1] == "second"
    assert office.repaired("second") == 0


def test_a_lost_parcel_message_is_delivered_again(office: Office, start: datetime) -> None:
    order_id = f"own-{next(_numbers)}"
    office.pay(order_id)
    office.fulfil(order_id)
    (parcel,) = office.parcels_of(order_id)
    office.outside.control("POST", "/warehouse/ship", {"id": parcel.shipment_id})
    office.reconcile(office.span(start), "first")
    (found,) = open_breaks(office)
    assert (found.finding.repair, found.finding.order_id) == (Repair.DELIVER_SHIPMENT, order_id)
    assert office.repaired("first") == 1
    assert office.order(order_id).state is OrderState.COMPLETED
    assert office.reconcile(office.span(start), "second").verdict == Verdict.RECONCILED


def test_a_message_that_the_shop_took_back_meanwhile_starts_nothing(office: Office, start: datetime) -> None:
    order_id = office.outside.buy()
    office.reconcile(office.span(start), "first")
    office.outside.control("POST", f"/shop/orders/{order_id}/cancel", {"refund": True})
    office.repaired("first")
    order = office.database.transact(lambda tx: tx.orders.get("main", order_id))
    assert order is None or order.state is not OrderState.PAID, "nothing that was cancelled is sent"


TAMPERINGS: dict[str, tuple[dict[str, object], set[FindingKind], int]] = {
    "the charge vanished": ({"action": "drop_charge"}, {FindingKind.MISSING_EXTERNAL}, -2500),
    "less was charged": ({"action": "change_amount", "amount": 2400}, {FindingKind.AMOUNT_UNDER}, -100),
    "more was charged": ({"action": "change_amount", "amount": 2600}, {FindingKind.AMOUNT_OVER}, 100),
    "refunded in silence": ({"action": "refund_silently", "amount": 700}, {FindingKind.REFUND_EXCEEDS}, -700),
    "charged twice": ({"action": "charge_twice"}, {FindingKind.DUPLICATE_EXTERNAL, FindingKind.AMOUNT_OVER}, 2500),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_tampered_books_are_found_to_the_cent_and_left_to_a_person(office: Office, start: datetime, what: str) -> None:
    action, kinds, difference = TAMPERINGS[what]
    order_ids(office, 1)
    (order_id,) = order_ids(office, 1)
    office.outside.control("POST", "/provider/tamper", {**action, "order_id": order_id})
    run = office.reconcile(office.span(start), "tampered")
    assert run.verdict == Verdict.BREAKS
    (finding,) = [finding for finding in findings_of(office, run) if finding.outcome is Outcome.BREAK]
    assert finding.kind in kinds
    assert (finding.order_id, finding.difference_minor) == (order_id, difference)
    assert residuals(office, run) == {0}, "the bridge explains the whole difference"
    (bridge,) = office.database.transact(lambda tx: tx.runs.statements("tampered"))
    assert bridge.theirs_minor - bridge.ours_minor == difference
    silent = what == "refunded in silence"
    assert office.repaired("tampered") == silent, "what the provider gave back is booked; no money is moved by itself"
    assert office.booked(order_id) == ([2500, -700] if silent else [2500])
    again = office.reconcile(office.span(start), "again")
    assert counted(again, "breaks_new", "breaks_persisting", "breaks_open") == ([0, 0, 0] if silent else [0, 1, 1])


def test_a_dispute_is_shown_and_ends_when_it_is_won(office: Office, start: datetime) -> None:
    (order_id,) = order_ids(office, 1)
    dispute = office.outside.control("POST", "/provider/disputes", {"order_id": order_id})
    run = office.reconcile(office.span(start), "open")
    # The goods left: a dispute over them is told on both legs, the money at risk once.
    kinds = {finding.kind: finding.outcome for finding in findings_of(office, run)}
    assert kinds == {
        FindingKind.DISPUTED: Outcome.BREAK,
        FindingKind.REVERSED_AFTER_FULFILMENT: Outcome.WARNING,
    }
    office.outside.control("POST", f"/provider/disputes/{dispute['id']}/close", {"status": "won"})
    run = office.reconcile(office.span(start), "won")
    assert residuals(office, run) == {0}
    assert open_breaks(office) == []


def test_what_people_settle_warns_in_every_run_and_counts_again_when_its_time_ends(
    office: Office, start: datetime
) -> None:
    order_id = office.outside.buy()
    assert office.reconcile(office.span(start), "found").verdict == Verdict.BREAKS
    broken = open_breaks(office)
    lost = {item.finding.difference_minor for item in broken if item.finding.leg is Leg.PAYMENTS}
    assert lost == {2500}
    end = office.clock.now() + timedelta(hours=2)
    desk = BreakDesk(office.database, office.clock, "main")
    ignore = Intervention(deed=Deed.IGNORE, actor="alice", reason="sold at the fair", until=end)
    answer = desk.carry_out([Instruction(break_id=item.break_id, act=ignore) for item in broken], dry_run=False)
    assert len(answer.done) == len(broken)

    settled = office.reconcile(office.span(start), "settled")
    assert settled.verdict == Verdict.WARNINGS
    assert counted(settled, "breaks", "breaks_open", "warnings") == [0, 0, len(broken)]
    assert residuals(office, settled) == {0}
    (bridge,) = office.database.transact(lambda tx: tx.runs.statements("settled"))
    assert [(one.code, one.count, one.amount_minor) for one in bridge.lines] == [("settled", 1, 2500)]
    assert office.repair.due("main", "stripe", "settled") == []
    record = run_record(office.database, "settled")
    report = build(
        record.run,
        statements=record.statements,
        findings=record.findings,
        breaks=record.breaks,
        resolved=record.resolved,
        earlier=record.earlier,
        broken=record.broken,
    )
    assert report.sound
    assert {one.order_id for one in report.settled} == {order_id}
    assert {(one.settlement.by, one.settlement.reason) for one in report.settled if one.settlement} == {
        ("alice", "sold at the fair")
    }

    # Beyond what a run looks back by itself (an hour here): the ended decision makes it look.
    office.advance(timedelta(hours=3))
    again = office.reconcile(office.span(office.clock.now()), "again")
    assert again.verdict == Verdict.BREAKS
    assert {item.break_id for item in open_breaks(office)} == {item.break_id for item in broken}
    assert residuals(office, again) <= {0}
    assert verify(office.database, "main").fault is None
