"""Runs done again, dry, light, and closing a month, on real books."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select, update

from tests.integration.office import Office
from worker.cli.main import cli
from worker.contract.reconciliation import Mode, Reconcile, Window
from worker.domain.errors import Conflict, NotFound
from worker.domain.finding import Leg, Verdict
from worker.domain.intervention import Deed, Intervention
from worker.domain.matching.rules import Rules, Tolerance
from worker.domain.window import Span
from worker.repositories.schema import METADATA
from worker.services.break_desk import BreakDesk, Instruction
from worker.services.ports import Run
from worker.services.run_result import Answer, differences
from worker.services.verification import Verification, Verified

_numbers = count(1)
LEDGER = "GET /stripe/v1/balance_transactions"
SHOP = "GET /shopify/admin/api/*/orders.json"
WAREHOUSE = "GET /warehouse/v1/fulfilments"
REQUEST = Reconcile(shop="main", provider="stripe", requested_by="test")


def verify(office: Office, run_id: str) -> Verified:
    return Verification(office.database, office.lake, office.clock).replay(run_id)


def run(office: Office, span: Span, run_id: str, mode: Mode = Mode.FULL, window: Window | None = None) -> Run:
    request = replace(REQUEST, mode=mode, window=window)
    return office.reconciliation.run(
        request, span, run_id=run_id, workflow_id=f"w-{run_id}", give_up=False, progress=lambda _: None
    )


def dry(office: Office, span: Span, mode: Mode = Mode.FULL) -> Answer:
    request = replace(REQUEST, mode=mode)
    return office.reconciliation.dry_run(request, span, run_id="dry", progress=lambda _: None)


def rows(office: Office) -> dict[str, list[Any]]:
    """Everything a run may write, as it stands."""
    with office.engine.connect() as connection:
        return {
            name: sorted(map(str, connection.execute(select(table)).all())) for name, table in METADATA.tables.items()
        }


def folder_of(office: Office, found: Run) -> Path:
    return office.lake_folder / found.inputs


def own() -> str:
    """Return an id that no other order of the module has: the outside remembers."""
    return f"own-{next(_numbers)}"


def differing(office: Office, number: int = 2) -> None:
    """Sell some orders whose parcels never left and whose messages never came, and some that agree."""
    for _ in range(number):
        office.outside.buy()
    for _ in range(number):
        office.complete(own())


def test_a_run_done_again_is_the_same_to_the_byte_and_leaves_no_trace(office: Office, start: datetime) -> None:
    differing(office)
    first = run(office, office.span(start), "first")
    assert first.verdict == Verdict.BREAKS
    before, files = rows(office), sorted(office.lake_folder.rglob("*"))
    again = verify(office, "first")
    assert (again.identical, again.differs) == (True, ())
    assert again.sha256 == first.result_sha256 != ""
    assert again.findings > 0
    assert rows(office) == before
    assert sorted(office.lake_folder.rglob("*")) == files
    with pytest.raises(NotFound):
        verify(office, "never")


def test_it_is_the_same_after_all_that_it_was_compared_with_has_changed(office: Office, start: datetime) -> None:
    differing(office)
    run(office, office.span(start), "first")
    # New books, new rules, a person's decision, a later run, and nobody outside who would answer.
    act = Intervention(deed=Deed.RESOLVE, actor="alice", reason="test orders")
    desk = BreakDesk(office.database, office.clock, "main")
    desk.carry_out([Instruction(break_id=item.break_id, act=act) for item in breaks(office)], dry_run=False)
    office.complete(own())
    office.reconciliation._graces.rules["stripe"] = Rules(  # type: ignore[index]
        provider="stripe", tolerances={"EUR": Tolerance(absolute_minor=10**9)}
    )
    run(office, office.span(start), "second")
    for route in (LEDGER, SHOP, WAREHOUSE):
        office.outside.fault(route, "status", status=503, times=None)
    assert verify(office, "first").identical
    assert verify(office, "second").identical


def test_what_differs_is_named(office: Office, start: datetime) -> None:
    differing(office)
    first = run(office, office.span(start), "first")
    kept = folder_of(office, first) / "recalled-collecting.json"
    facts = folder_of(office, first) / "manifest.json"
    document = json.loads(facts.read_text())
    document["facts"]["scope"]["payment_grace"] = 30 * 86_400 * 1_000_000
    facts.write_text(json.dumps(document))
    assert kept.exists()
    again = verify(office, "first")
    assert not again.identical
    named = {(one.field, one.was, one.now) for one in again.differs}
    assert ("outcome", "break", "pending") in named


def test_inputs_that_were_tampered_with_prove_nothing(office: Office, start: datetime) -> None:
    differing(office)
    first = run(office, office.span(start), "first")
    (orders,) = folder_of(office, first).glob("OwnOrder.parquet")
    shutil.copy(folder_of(office, first) / "ShopOrder.parquet", orders)
    with pytest.raises(Conflict, match="was changed since it was written"):
        verify(office, "first")


def test_a_run_whose_files_are_gone_says_so_and_its_window_can_be_run_again(office: Office, start: datetime) -> None:
    differing(office)
    span = office.span(start)
    first = run(office, span, "first")
    opened = {item.break_id for item in breaks(office)}
    shutil.rmtree(office.lake_folder)
    with pytest.raises(Conflict, match="run the reconciliation again"):
        verify(office, "first")
    second = run(office, span, "second")
    assert (second.verdict, second.result_sha256) == (first.verdict, first.result_sha256)
    assert {item.break_id for item in breaks(office)} == opened
    assert verify(office, "second").identical


def test_a_run_that_lost_its_files_on_the_way_is_refused_and_a_new_one_takes_its_place(
    office: Office, start: datetime
) -> None:
    differing(office)
    span = office.span(start)
    parts = office.reconciliation.gather(
        REQUEST, span, run_id="lost", workflow_id="w", give_up=False, progress=lambda _: None
    )
    office.reconciliation.comparison.sift(parts.reference, 0)
    shutil.rmtree(office.lake_folder)
    with pytest.raises(Conflict):
        office.reconciliation.comparison.collect(parts.reference)
    with pytest.raises(Conflict, match="not finished"):
        verify(office, "lost")
    second = run(office, span, "second")
    assert second.verdict == Verdict.BREAKS
    lost = office.database.transact(lambda tx: tx.runs.get("lost"))
    assert lost is not None
    assert lost.finished_at is None


def test_a_dry_run_answers_what_the_run_then_does_and_writes_nothing(office: Office, start: datetime) -> None:
    differing(office)
    first = run(office, office.span(start), "first")
    order_id = office.outside.buy()
    span = office.span(start)
    before, kept = rows(office), sorted(office.lake_folder.rglob("*"))
    answer = dry(office, span)
    assert rows(office) == before
    assert sorted(office.lake_folder.rglob("*")) == kept
    real = run(office, span, "second")
    assert real.counts == answer.run.counts
    assert real.verdict == answer.run.verdict
    assert answer.statements == tuple(office.database.transact(lambda tx: tx.runs.statements("second")))
    opened = [item.finding.order_id for before, item in answer.fates if before is None and item is not None]
    assert order_id in opened
    assert first.counts is not None
    assert real.counts is not None
    assert real.counts["breaks_new"] == len(opened) > 0
    results = [office.lake.gathered(one.inputs).result() for one in (first, real)]
    found = list(differences(*results))
    assert any(order_id in str(one.now) for one in found if not one.field)
    assert "window" in {one.field for one in found if not one.subject}


def test_a_light_run_compares_payments_alone_and_leaves_the_other_legs_breaks(office: Office, start: datetime) -> None:
    differing(office)
    run(office, office.span(start), "full")
    others = [item for item in breaks(office) if item.finding.leg is not Leg.PAYMENTS]
    assert others
    office.outside.fault(SHOP, "status", status=503, times=None)
    reached = office.database.transact(lambda tx: tx.runs.watermark("main", "stripe"))
    light = run(office, office.span(start), "light", Mode.LIGHT)
    assert (light.source, light.verdict) == ("api/light", Verdict.BREAKS)
    assert {one.leg for one in office.database.transact(lambda tx: tx.runs.findings("light"))} == {Leg.PAYMENTS}
    assert [item for item in breaks(office) if item.finding.leg is not Leg.PAYMENTS] == others
    assert verify(office, "light").identical
    assert office.database.transact(lambda tx: tx.runs.watermark("main", "stripe")) == reached
    assert office.database.transact(lambda tx: tx.runs.watermark("main", "stripe", Mode.LIGHT)) == light.window_end


def test_a_month_with_something_pending_is_closed_once_it_has_come_to_an_end(office: Office, start: datetime) -> None:
    office.complete(own())
    month = office.span(start)
    with patience(office, timedelta(days=2)):
        late = own()
        office.pay(late)
        office.fulfil(late)
        month = office.span(start)
        asked = Window(start=month.start.isoformat(), end=month.end.isoformat())
        waiting = run(office, month, "close-1", Mode.CLOSE, asked)
        assert waiting.verdict == Verdict.INCOMPLETE
        assert "no full run has told of them since" in waiting.incomplete_because[0]
        run(office, office.span(start), "full-1")
        waiting = run(office, month, "close-2", Mode.CLOSE, asked)
        assert waiting.verdict == Verdict.INCOMPLETE
        assert "open still in full-1" in waiting.incomplete_because[0]
        office.ship(late)
        run(office, office.span(start), "full-2")
        closed = run(office, month, "close-3", Mode.CLOSE, asked)
    assert (closed.verdict, closed.incomplete_because) == (Verdict.RECONCILED, ())
    assert office.database.transact(lambda tx: tx.runs.watermark("main", "stripe", Mode.CLOSE)) is None


def breaks(office: Office) -> list[Any]:
    return office.database.transact(lambda tx: tx.breaks.open("main", "stripe"))


@contextmanager
def patience(office: Office, span: timedelta) -> Iterator[None]:
    """Let the warehouse have some time."""
    service = office.reconciliation
    before = service._graces
    service._graces = replace(before, shipment=span)
    try:
        yield
    finally:
        service._graces = before


def orders(office: Office, folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    """Use the command line on the books and the lake of an office."""
    monkeypatch.setenv("ORDERS_DATABASE__URL", office.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("ORDERS_STORE__PATH", str(folder))
    for name in (
        "PROVIDER__API_KEY",
        "SHOP__ACCESS_TOKEN",
        "USERS__TOKEN_KEY",
        "WAREHOUSE__SECRET",
        "WAREHOUSE__TOKEN",
    ):
        monkeypatch.setenv(f"ORDERS_{name}", "x" * 40)
    done = CliRunner().invoke(cli, ["reconcile", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_the_command_line_proves_a_run_and_compares_two(
    office: Office, start: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lake").symlink_to(office.lake_folder)
    first = run(office, office.span(start), "first")
    order_id = office.outside.buy()
    run(office, office.span(start), "second")
    told = orders(office, tmp_path, monkeypatch, "diff", "first", "second")
    assert (told.exit_code, f"orders {order_id}" in told.output or order_id in told.output) == (0, True)
    assert 'verdict: "reconciled" -> "breaks"' in told.output
    assert "0 differences" in orders(office, tmp_path, monkeypatch, "diff", "first", "first").output

    proved = orders(office, tmp_path, monkeypatch, "replay", "first", "--json")
    assert (proved.exit_code, json.loads(proved.output)["identical"]) == (0, True)
    with office.engine.begin() as connection:
        connection.execute(update(METADATA.tables["runs"]).values(result_sha256="0" * 64))
    assert first.result_sha256 != "0" * 64
    refuted = orders(office, tmp_path, monkeypatch, "replay", "first")
    assert refuted.exit_code == 5
    assert "DIFFERENT" in refuted.output
    assert "not the one the run was stored with" in refuted.output
