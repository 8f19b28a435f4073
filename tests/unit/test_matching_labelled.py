"""Labelled sets that nobody here wrote: the engine must reproduce their ground truth, row by row.

The labels name candidates, so each is read against the ledger it is a candidate for: a row whose partner is absent
is missing there whatever its label hopes for. Without rules a tolerance is a difference and no fee is expected; with the
rules that the sets were made by, those labels are reproduced too.
"""

import csv
import json
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from worker.domain.finding import Finding, FindingKind
from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.matching.bridge import statements
from worker.domain.matching.payments import match_payments
from worker.domain.matching.rules import FeeSchedule, Rules, Tolerance
from worker.domain.matching.scope import Scope
from worker.domain.money import parse_major
from worker.domain.payment import BookEntry, EntryKind

K = FindingKind
START, END = datetime(2025, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
ALL_TIME = Scope(
    window_start=START,
    window_end=END,
    horizon_start=START,
    payment_grace=timedelta(days=1),
    shipment_grace=timedelta(days=1),
    order_grace=timedelta(days=1),
)


def booked(row: dict[str, str], order: str, reference: str, at: str) -> BookEntry:
    minor = parse_major(row["amount"], row["currency"])
    return BookEntry(
        shop="main",
        order_id=row[order],
        provider="acquirer",
        kind=EntryKind.CAPTURE if minor >= 0 else EntryKind.REFUND,
        reference=row[reference],
        payment_reference=row[reference],
        amount_minor=minor,
        currency=row["currency"],
        occurred_at=datetime.fromisoformat(row[at]),
    )


def shown(row: dict[str, str], order: str, line_id: str, amount: str, at: str) -> LedgerLine:
    gross = parse_major(row[amount], row["currency"])
    kind = LineKind.CHARGE if gross >= 0 else LineKind.REFUND
    return LedgerLine(
        line_id=row[line_id],
        provider="acquirer",
        kind=LineKind.FEE if row["scenario"] == "bank_fee_only" else kind,
        currency=row["currency"],
        gross_minor=gross,
        fee_minor=0,
        net_minor=gross,
        created_at=datetime.fromisoformat(row[at]).replace(tzinfo=UTC),
        order_id=row[order],
        source_id=row.get("end_to_end_id", row[line_id]),
    )


def kinds(findings: tuple[Finding, ...]) -> dict[str, set[FindingKind]]:
    found: defaultdict[str, set[FindingKind]] = defaultdict(set)
    for finding in findings:
        found[finding.order_id].add(finding.kind)
    return found


def table(path: Path) -> list[dict[str, str]]:
    text = path.read_text(encoding="utf-8")
    rows: list[dict[str, str]] = json.loads(text) if path.suffix == ".json" else list(csv.DictReader(text.splitlines()))
    return rows


def test_bank_statement_against_ledger(fixtures_dir: Path) -> None:
    folder = fixtures_dir / "labelled" / "02-bank-statement-vs-ledger"
    ledger, bank = table(folder / "midaz-ledger-export.json"), table(folder / "bank-statement.csv")
    entries = [booked(row, "reference", "ledger_entry_id", "posted_at") for row in ledger]
    lines = [shown(row, "reference", "bank_entry_id", "amount", "booking_date") for row in bank]
    findings = match_payments(entries, lines, {}, ALL_TIME)
    found = kinds(findings)
    amounts: defaultdict[str, list[str]] = defaultdict(list)
    for row in bank:
        amounts[row["reference"]].append(row["amount"])
    differing = {K.AMOUNT_UNDER, K.AMOUNT_OVER}
    expected = {
        "bank_statement_match_candidate": {K.MATCHED},
        "missing_e2e_uses_reference_fallback": {K.MATCHED},
        "amount_tolerance_candidate": differing,
        "amount_mismatch_outside_tolerance": differing,
        "bank_only_unmatched": {K.MISSING_INTERNAL, K.REFUND_EXCEEDS},
        "bank_fee_only": set(),
    }
    wrong = []
    for row in bank:
        seen = amounts[row["reference"]]
        if len(seen) == 1:
            truth = expected[row["scenario"]]
        else:
            # A second line of another amount is not the same movement listed twice: too much was captured.
            truth = {K.DUPLICATE_EXTERNAL} if len(set(seen)) == 1 else differing
        got = found.get(row["reference"], set())
        if not got <= truth or bool(got) is not bool(truth):
            wrong.append((row["reference"], row["scenario"], got))
    assert wrong == []
    counted = Counter(finding.kind for finding in findings)
    alone = sum(row["scenario"] == "bank_only_unmatched" for row in bank)
    assert counted[K.MISSING_EXTERNAL] + counted[K.REFUND_MISSING] == sum(
        row["reference"] not in amounts for row in ledger
    )
    assert counted[K.MISSING_INTERNAL] + counted[K.REFUND_EXCEEDS] == alone
    assert counted[K.DUPLICATE_EXTERNAL] == sum(len(seen) > 1 and len(set(seen)) == 1 for seen in amounts.values())
    assert counted[K.DUPLICATE_EXTERNAL] > 20
    assert {s.residual_minor for s in statements(entries, lines, findings, {}, ALL_TIME)} == {0}


def test_acquirer_settlement_against_ledger(fixtures_dir: Path) -> None:
    folder = fixtures_dir / "labelled" / "01-card-acquirer-settlement"
    # The ledger's chargebacks answer to another file of the set; here sales are compared with settlements.
    ledger = [row for row in table(folder / "ledger-midaz.csv") if row["scenario"] != "ledger_chargeback"]
    settled = table(folder / "acquirer-settlement.json")
    entries = [booked(row, "order_id", "ledger_tx_id", "occurred_at") for row in ledger]
    lines = [shown(row, "order_id", "acquirer_tx_id", "gross_amount", "settlement_date") for row in settled]
    findings = match_payments(entries, lines, {}, ALL_TIME)
    found = kinds(findings)
    ours = {row["order_id"] for row in ledger}
    times = Counter(row["order_id"] for row in settled)
    agreeing = {K.MATCHED}
    differing = {K.AMOUNT_UNDER, K.AMOUNT_OVER}
    expected = {
        "exact_order_and_authorization_match": agreeing,
        "settlement_lag_candidate": agreeing,
        "fee_variance_candidate": agreeing,
        "amount_tolerance_candidate": differing,
        "amount_mismatch_outside_tolerance": differing,
        "duplicate_settlement_candidate": {K.DUPLICATE_EXTERNAL},
        "acquirer_only_settlement": {K.MISSING_INTERNAL},
    }
    wrong = []
    for row in settled:
        truth = expected[row["scenario"]]
        if row["order_id"] not in ours:
            truth = {K.MISSING_INTERNAL}
        elif times[row["order_id"]] > 1:
            truth = {K.DUPLICATE_EXTERNAL}
        if not found[row["order_id"]] or not found[row["order_id"]] <= truth:
            wrong.append((row["order_id"], row["scenario"], found[row["order_id"]]))
    assert wrong == []
    settled_orders = {row["order_id"] for row in settled}
    counted = Counter(finding.kind for finding in findings)
    assert counted[K.MISSING_EXTERNAL] == len(ours - settled_orders)
    assert counted[K.MISSING_INTERNAL] == len(settled_orders - ours)
    assert counted[K.DUPLICATE_EXTERNAL] == sum(number > 1 for order, number in times.items() if order in ours)
    assert {s.residual_minor for s in statements(entries, lines, findings, {}, ALL_TIME)} == {0}


def labelled(rows: list[dict[str, str]], scenario: str, name: str, ours: set[str]) -> set[str]:
    """The orders of a scenario that our ledger holds and the other side lists once."""
    times = Counter(row[name] for row in rows)
    return {row[name] for row in rows if row["scenario"] == scenario and row[name] in ours and times[row[name]] == 1}


def of_kind(findings: tuple[Finding, ...], kind: FindingKind) -> set[str]:
    return {finding.order_id for finding in findings if finding.kind is kind}


def test_a_tolerance_of_five_cents_reproduces_the_labels_of_the_bank_statement(fixtures_dir: Path) -> None:
    folder = fixtures_dir / "labelled" / "02-bank-statement-vs-ledger"
    ledger, bank = table(folder / "midaz-ledger-export.json"), table(folder / "bank-statement.csv")
    entries = [booked(row, "reference", "ledger_entry_id", "posted_at") for row in ledger]
    lines = [shown(row, "reference", "bank_entry_id", "amount", "booking_date") for row in bank]
    rules = Rules(tolerances={entry.currency: Tolerance(absolute_minor=5) for entry in entries})
    findings = match_payments(entries, lines, {}, ALL_TIME, rules)
    ours = {row["reference"] for row in ledger}
    within = of_kind(findings, K.MATCHED_WITHIN_TOLERANCE)
    assert within == labelled(bank, "amount_tolerance_candidate", "reference", ours)
    assert len(within) > 10
    beyond = of_kind(findings, K.AMOUNT_UNDER) | of_kind(findings, K.AMOUNT_OVER)
    assert beyond >= labelled(bank, "amount_mismatch_outside_tolerance", "reference", ours)
    assert all(bridge.ties for bridge in statements(entries, lines, findings, {}, ALL_TIME, rules))


def test_tolerance_and_fee_schedule_reproduce_the_labels_of_the_settlement(fixtures_dir: Path) -> None:
    folder = fixtures_dir / "labelled" / "01-card-acquirer-settlement"
    ledger = [row for row in table(folder / "ledger-midaz.csv") if row["scenario"] != "ledger_chargeback"]
    settled = table(folder / "acquirer-settlement.json")
    entries = [booked(row, "order_id", "ledger_tx_id", "occurred_at") for row in ledger]
    lines = [
        replace(
            shown(row, "order_id", "acquirer_tx_id", "gross_amount", "settlement_date"),
            fee_minor=parse_major(row["fee_amount"], row["currency"]),
        )
        for row in settled
    ]
    rules = Rules(
        tolerances={entry.currency: Tolerance(absolute_minor=5) for entry in entries},
        fees=(FeeSchedule(basis_points=290, fixed_minor=63, variance_minor=16),),
    )
    findings = match_payments(entries, lines, {}, ALL_TIME, rules)
    ours = {row["order_id"] for row in ledger}
    within = of_kind(findings, K.MATCHED_WITHIN_TOLERANCE)
    assert within == labelled(settled, "amount_tolerance_candidate", "order_id", ours)
    varied = of_kind(findings, K.FEE_VARIANCE)
    assert varied == labelled(settled, "fee_variance_candidate", "order_id", ours)
    assert min(len(within), len(varied)) > 10
    assert all(bridge.ties for bridge in statements(entries, lines, findings, {}, ALL_TIME, rules))


def test_an_order_paid_in_several_payments_agrees_payment_by_payment(fixtures_dir: Path) -> None:
    folder = fixtures_dir / "labelled" / "jaffle"
    made = {
        row["id"]: datetime.fromisoformat(row["order_date"]).replace(tzinfo=UTC)
        for row in table(folder / "raw_orders.csv")
    }
    payments = table(folder / "raw_payments.csv")
    scope = replace(ALL_TIME, window_start=min(made.values()), horizon_start=min(made.values()))
    entries = [
        BookEntry(
            shop="main",
            order_id=row["order_id"],
            provider="acquirer",
            kind=EntryKind.CAPTURE,
            reference=row["id"],
            payment_reference=row["id"],
            amount_minor=int(row["amount"]),
            currency="USD",
            occurred_at=made[row["order_id"]],
        )
        for row in payments
    ]
    lines = [
        LedgerLine(
            line_id=row["id"],
            provider="acquirer",
            kind=LineKind.CHARGE,
            currency="USD",
            gross_minor=int(row["amount"]),
            fee_minor=0,
            net_minor=int(row["amount"]),
            created_at=made[row["order_id"]],
            order_id=row["order_id"],
            source_id=row["id"],
        )
        for row in payments
    ]
    findings = match_payments(entries, lines, {}, scope)
    assert [finding.kind for finding in findings] == [K.MATCHED] * len(made)
    assert sum(finding.ours_minor for finding in findings) == sum(int(row["amount"]) for row in payments)

    # Of each order that was paid several times, the last payment never came.
    last = {row["order_id"]: row for row in payments}
    times = Counter(row["order_id"] for row in payments)
    lost = {order: int(last[order]["amount"]) for order, number in times.items() if number > 1}
    lost = {order: minor for order, minor in lost.items() if minor}
    ids = {last[order]["id"] for order in lost}
    left = [line for line in lines if line.line_id not in ids]
    findings = match_payments(entries, left, {}, scope)
    wrong = {f.order_id: (f.kind, f.difference_minor) for f in findings if f.kind is not K.MATCHED}
    assert wrong == {order: (K.MISSING_EXTERNAL, -minor) for order, minor in lost.items()}
    assert len(wrong) > 10
    assert all(bridge.ties for bridge in statements(entries, left, findings, {}, scope))
