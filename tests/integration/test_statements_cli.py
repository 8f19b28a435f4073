"""`orders statements` as it is typed, on a real database: several files, the drop folder, list, show, rejects."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.integration.bank_files import Booking, camt
from tests.integration.own_database import migrated_database
from tests.unit.statement_files import SAMPLES, changed, sample
from tests.unit.test_settings import SECRETS
from worker.cli.main import cli

Orders = Callable[..., Result]
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def own_url(database_url: str) -> Iterator[str]:
    with migrated_database(database_url) as engine:
        yield engine.url.render_as_string(hide_password=False)


@pytest.fixture
def orders(own_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Orders:
    store = tmp_path / "store"
    environment = {"ORDERS_ENV": "test", **SECRETS, "ORDERS_DATABASE__URL": own_url, "ORDERS_STORE__PATH": str(store)}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["statements", *arguments])

    return run


def test_several_files_are_imported_and_a_bad_one_does_not_keep_the_others_out(orders: Orders, tmp_path: Path) -> None:
    folder = tmp_path / "month"
    folder.mkdir()
    (folder / "a.csv").write_bytes(sample("paypal_de.csv"))
    (folder / "b.xml").write_bytes(sample("camt053.xml"))
    bad = tmp_path / "bad.csv"
    bad.write_bytes(b"a,b\n1,2\n")
    done = orders("import", str(folder), str(bad), str(SAMPLES / "shopify_payouts.csv"), "--no-reconcile")
    assert done.exit_code == 5
    assert "orders: invalid_statement: bad.csv: no known statement header" in done.stderr
    assert done.stdout.count("\nimported\n") == 3
    assert "4 of 4 bank entries were new" in done.stdout
    listed = json.loads(orders("list", "--json").stdout)
    assert {(one["name"], one["format"], one["scope"]) for one in listed} >= {
        ("a.csv", "paypal_activity", "ledger"),
        ("b.xml", "camt053", "bank"),
        ("shopify_payouts.csv", "shopify_payouts", "payouts"),
    }
    assert "a.csv" in orders("list").stdout


def test_what_tells_of_no_payment_is_not_compared_with_orders(orders: Orders) -> None:
    """No Temporal runs here: a comparison would fail."""
    done = orders("import", str(SAMPLES / "stripe_payouts.csv"), str(SAMPLES / "bank_de.csv"))
    assert done.exit_code == 0
    assert "it tells of payouts alone" in done.stdout


def test_everything_in_the_drop_folder_is_taken_once(orders: Orders, tmp_path: Path) -> None:
    assert "nothing lies in statements/drop/" in orders("import").stderr
    drop = tmp_path / "store" / "statements" / "drop" / "2026"
    drop.mkdir(parents=True)
    content = sample("paypal_settlement.csv").replace(b"ACCOUNT1", b"ACCOUNT2")
    (drop / "STL-20260820.01.009.CSV").write_bytes(content)
    first, second = orders("import", "--no-reconcile"), orders("import")
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "\nimported\n" in first.stdout
    assert "imported before; nothing was added" in second.stdout
    assert [one.name for one in drop.iterdir()] == ["STL-20260820.01.009.CSV"], (
        "it stays: nothing of the books is removed"
    )


def test_rejected_rows_are_shown_and_downloaded_safe_for_a_spreadsheet(orders: Orders, tmp_path: Path) -> None:
    content = changed(sample("shopify_transactions.csv"), 4, {"Fee": "=cmd|' /C calc'!A0"})
    file = tmp_path / "=2+3.csv"
    file.write_bytes(content)
    assert "1 rejected" in orders("preview", str(file)).stdout
    done = orders("import", str(file), "--no-reconcile", "--json")
    sha256 = json.loads(done.stdout)["sha256"]
    shown = orders("show", sha256[:10])
    assert "7 rows, 1 rejected" in shown.stdout
    assert "check every row read: failed: 1 of 7 rejected" in shown.stdout
    table = list(csv.reader(io.StringIO(orders("rejects", sha256, "--csv").stdout_bytes.decode("utf-8-sig"))))
    assert table[0] == ["file", "sha256", "line", "column", "reason"]
    assert table[1][:4] == ["'=2+3.csv", sha256, "4", "fee"]
    assert table[1][4].startswith("is no decimal amount")
    assert json.loads(orders("rejects", sha256, "--json").stdout)[0]["line"] == 4


def test_a_damaged_file_is_refused_whole_where_settings_say_so(
    orders: Orders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_STATEMENTS__ON_REJECT", "file")
    file = tmp_path / "x.csv"
    file.write_bytes(changed(sample("shopify_transactions.csv"), 2, {"Fee": "x"}))
    assert "an import would refuse it as a whole" in orders("preview", str(file)).stdout
    done = orders("import", str(file))
    assert done.exit_code == 5
    assert "refused as a whole" in done.stderr


def test_what_a_file_leaves_open_is_asked_for(orders: Orders, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes(sample("paypal_en.csv").splitlines(keepends=True)[0] + b"")
    assert "0 rows" in orders("preview", str(file), "--dates", "day-first", "--decimal", ".").stdout
    assert orders("preview", str(file), "--dates", "tomorrow").exit_code == 2


def test_a_format_of_the_settings_is_known_to_every_command(
    orders: Orders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = {
        "acme": {
            "provider": "acme",
            "kind": "charge",
            "currency": "EUR",
            "columns": {"line_id": "Id", "created_at": "At", "gross": "Amount"},
        }
    }
    monkeypatch.setenv("ORDERS_STATEMENTS__FORMATS", json.dumps(described))
    file = tmp_path / "acme.csv"
    file.write_bytes(b"Id,At,Amount\n1,2026-09-01 10:00:00,5.00\n")
    assert "acme: 1 rows, 1 lines" in orders("preview", str(file)).stdout
    done = orders("import", str(file), "--no-reconcile", "--json")
    assert json.loads(done.stdout)["provider"] == "acme"
    described["acme"]["columns"]["colour"] = "C"  # type: ignore[index]
    monkeypatch.setenv("ORDERS_STATEMENTS__FORMATS", json.dumps(described))
    wrong = orders("preview", str(file))
    assert "statements.formats.acme.columns.colour: unknown" in str(wrong.exception)


def test_a_file_that_nobody_imported_is_not_found(orders: Orders) -> None:
    assert "`orders statements list` shows them" in str(orders("show", "ffffff").exception)


def test_a_gap_between_files_is_said_when_they_are_imported_listed_and_shown(orders: Orders, tmp_path: Path) -> None:
    first = date(2026, 3, 1)
    whole = {
        "1.xml": camt(first, first, [Booking(on=first, minor=500, text="a")], "11"),
        "3.xml": camt(first + 2 * DAY, first + 2 * DAY, [Booking(on=first + 2 * DAY, minor=90, text="c")], "13"),
    }
    # Before the third day something was booked that no file tells of.
    whole["3.xml"] = whole["3.xml"].replace(b"1000.00", b"1007.00").replace(b"1000.90", b"1007.90")
    for name, content in whole.items():
        (tmp_path / name).write_bytes(content.replace(b"202051", b"777777"))
    done = orders("import", str(tmp_path / "1.xml"), str(tmp_path / "3.xml"), "--no-reconcile")
    sentence = "EUR of ...7777: opens with 1,007.00, and 1.xml closes with 1,005.00: EUR 2.00 moved in no imported file"
    assert f"a gap: statement 3.xml does not follow the one before: {sentence}" in done.stderr
    listed = {one["name"]: one for one in json.loads(orders("list", "--json").stdout)}
    assert [one["joint"] for one in listed["3.xml"]["follows"]] == ["gap"]
    assert sentence in orders("show", listed["3.xml"]["sha256"]).stdout
    assert f"then 3.xml: {sentence.replace('1.xml', 'this file')}" in orders("show", listed["1.xml"]["sha256"]).stdout
