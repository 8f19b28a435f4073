"""Payments in parts through a whole run: one order, one booking, two charges of the provider that our books do not know."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from tests.integration.office import Office
from tests.integration.outside_process import OutsideProcess
from tests.integration.own_database import emptied
from worker.contract.reconciliation import Reconcile
from worker.domain.finding import Finding, FindingKind, Outcome, Verdict
from worker.domain.matching.rules import Rules
from worker.gateways.folder_store import FolderStore
from worker.services.ports import Run
from worker.services.verification import Verification
from worker.statements.importing import StatementImport

COLUMNS = "balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category,source_id,payment_intent_id"
DAY = timedelta(days=1)


@pytest.fixture
def start(engine: Engine, outside: OutsideProcess) -> Iterator[datetime]:
    """A time in which nobody else did anything, and an empty database."""
    outside.control("POST", "/clock/advance", {"seconds": 20 * DAY.total_seconds()})
    emptied(engine)
    yield Office(engine, outside).clock.now()
    outside.heal()


def run_of_a_file(office: Office, order_id: str, run_id: str) -> Run:
    """Compare with a report in which the order was charged as two payments that bear its id alone."""
    (entry,) = office.entries_of(order_id)
    head = f"{COLUMNS},payment_metadata[order_id]"
    rows = [
        f"txn_{run_id}_{place},{entry.occurred_at:%Y-%m-%d %H:%M:%S},eur,{minor / 100:.2f},0.00,{minor / 100:.2f},charge,"
        f"ch_{run_id}_{place},pi_{run_id}_{place},{order_id}"
        for place, minor in enumerate((700, entry.amount_minor - 700))
    ]
    store = FolderStore(office.lake_folder / "store")
    content = "\n".join([head, *rows, ""]).encode()
    taken = StatementImport(office.database, store, lambda: office.lake, "main").take(
        "parts.csv", content, office.clock.now()
    )
    request = Reconcile(shop="main", provider="stripe", statement_sha256=taken.file.sha256)
    span = office.reconciliation.window(request, office.clock.now())
    return office.reconciliation.run(
        request, span, run_id=run_id, workflow_id=f"w-{run_id}", give_up=False, progress=lambda _: None
    )


def findings(office: Office, run: Run) -> list[Finding]:
    return list(office.database.transact(lambda tx: tx.runs.findings(run.run_id)))


def test_parts_are_a_break_until_the_rules_of_the_provider_allow_them(
    engine: Engine, outside: OutsideProcess, start: datetime
) -> None:
    rules = {"stripe": Rules(provider="stripe")}
    office = Office(engine, outside, rules=rules)
    order_id = f"parts-{start:%H%M%S%f}"
    office.complete(order_id)
    refused = run_of_a_file(office, order_id, "strict")
    assert refused.verdict == Verdict.BREAKS
    assert [one.kind for one in findings(office, refused)] == [FindingKind.DUPLICATE_EXTERNAL]
    rules["stripe"] = Rules(provider="stripe", many_to_one=True)
    run = run_of_a_file(office, order_id, "allowing")
    assert run.verdict == Verdict.RECONCILED
    (found,) = findings(office, run)
    assert (found.kind, found.outcome, found.difference_minor) == (FindingKind.MATCHED_IN_PARTS, Outcome.MATCHED, 0)
    assert {fact.status for fact in found.theirs} == {"pi_allowing_0", "pi_allowing_1"}
    assert len(found.ours) == 1
    (bridge,) = office.database.transact(lambda tx: tx.runs.statements("allowing"))
    assert [(line.code, line.count, line.amount_minor) for line in bridge.lines] == [("matched_in_parts", 1, 0)]
    assert bridge.ties
    assert office.database.transact(lambda tx: tx.breaks.open("main", "stripe")) == []
    # Whatever the settings are by then, a run is done again by the rules it had.
    again = Verification(office.database, office.lake, office.clock)
    assert [again.replay(name).identical for name in ("strict", "allowing")] == [True, True]
