"""Formats described in settings: a new provider takes a table of settings and no code."""

import dataclasses
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.statement_files import CURRENCIES, MOMENTS, NAMES, amounts, table, utc, written
from worker.config import load_statements
from worker.contract.settings import ConfigurationError
from worker.domain.errors import InvalidStatement
from worker.statement_settings import StatementFormatConfig
from worker.statements.detection import DIALECTS
from worker.statements.mapped import FIELDS, describe
from worker.statements.parse import ParsedStatement, parse

ACME = StatementFormatConfig(
    provider="acme",
    columns={
        "line_id": "Id",
        "created_at": "Booked at",
        "gross": "Amount",
        "fee": "Fee",
        "net": "Net",
        "currency": "Ccy",
        "type": "Kind",
        "order_id": "Order",
        "payment_reference": "Payment",
        "payout_id": "Batch",
    },
    types={"Sale": "charge", "back": "refund", "sent": "payout"},
)
HEADER = ["Id", "Kind", "Booked at", "Amount", "Fee", "Net", "Ccy", "Order", "Payment", "Batch", "Anything"]
SALE = ["1", "Sale", "2026-09-01 10:00:00", "100.00", "2.50", "97.50", "EUR", "1001", "p1", "b1", ""]
BACK = ["2", "back", "2026-09-02 10:00:00", "-10.00", "0.00", "-10.00", "EUR", "1001", "p1", "b1", ""]
SENT = ["3", "sent", "2026-09-03 10:00:00", "-87.50", "0.00", "-87.50", "EUR", "", "", "b1", ""]
NEW = ["4", "gift", "2026-09-04 10:00:00", "-1.00", "0.00", "-1.00", "EUR", "", "", "", ""]


def described(**changes: Any) -> StatementFormatConfig:
    return dataclasses.replace(ACME, **changes)


def read(content: bytes, config: StatementFormatConfig = ACME, **how: Any) -> ParsedStatement:
    return parse("x", content, own=[describe("acme", config)], **how)


def test_a_table_is_read_as_described() -> None:
    parsed = read(table(HEADER, [SALE, BACK, SENT, NEW]))
    assert (parsed.format, parsed.provider) == ("acme", "acme")
    assert parsed.sound
    assert amounts(parsed) == [
        ("charge", "EUR", 10000, 250, 9750),
        ("refund", "EUR", -1000, 0, -1000),
        ("payout", "EUR", -8750, 0, -8750),
        ("unclassified", "EUR", -100, 0, -100),
    ]
    sale = parsed.lines[0]
    assert (sale.line_id, sale.order_id, sale.payment_reference, sale.payout_id) == ("1", "1001", "p1", "b1")
    assert sale.created_at == utc(2026, 9, 1, 10)
    assert parsed.checks["payout b1 EUR"] == "ok: its items make EUR 87.50, as paid out"


def test_columns_come_in_any_order_and_every_one_that_is_named_must_be_there() -> None:
    assert read(table(HEADER[::-1], [SALE[::-1]])).lines == read(table(HEADER, [SALE])).lines
    with pytest.raises(InvalidStatement, match="Nearest is acme, which also needs: batch"):
        read(table(HEADER[:9], [SALE[:9]]), format="acme")


def test_a_net_that_is_not_gross_less_fee_rejects_its_row() -> None:
    parsed = read(table(HEADER, [[*SALE[:5], "97.51", *SALE[6:]], BACK]))
    assert [(one.line, one.column) for one in parsed.rejects] == [(2, "net")]


def test_numbers_dates_and_signs_as_described() -> None:
    config = described(
        decimal=",",
        grouped=True,
        date="%d.%m.%Y %H:%M",
        zone="Europe/Berlin",
        outgoing=("back",),
        fee_negative=True,
    )
    sale = ["1", "Sale", "01.09.2026 10:00", "1.100,00", "-2,50", "1.097,50", "EUR", "1001", "p1", "b1", ""]
    back = ["2", "back", "02.09.2026 10:00", "10,00", "-1,00", "11,00", "EUR", "1001", "p1", "b1", ""]
    parsed = read(table(HEADER, [sale, back]), config)
    assert amounts(parsed) == [("charge", "EUR", 110000, 250, 109750), ("refund", "EUR", -1000, 100, -1100)]
    assert parsed.lines[0].created_at == utc(2026, 9, 1, 8)


def test_minor_units_unix_times_and_a_currency_for_all() -> None:
    columns = {"line_id": "id", "created_at": "t", "net": "n", "fee": "f"}
    config = described(columns=columns, types={}, kind="charge", currency="JPY", unit="minor", date="unix")
    parsed = read(table(["id", "t", "n", "f"], [["a", "1788256800", "9750", "250"], ["b", "x", "1", "1"]]), config)
    assert amounts(parsed) == [("charge", "JPY", 10000, 250, 9750)], "gross is what net and fee make"
    assert parsed.lines[0].created_at == utc(2026, 9, 1, 10)
    assert [(one.line, one.column) for one in parsed.rejects] == [(3, "t")]
    broken = read(table(["id", "t", "n", "f"], [["a", "1788256800", "97.5", "0"]]), config)
    assert [one.column for one in broken.rejects] == ["n"]


def test_debit_and_credit_in_columns_of_their_own() -> None:
    columns = {"line_id": "id", "created_at": "t", "debit": "out", "credit": "in", "customer_amount": "seen"}
    columns |= {"customer_currency": "in what", "country": "from", "payout_at": "paid", "method": "how"}
    config = described(columns=columns, types={}, kind="charge", currency="EUR")
    header = ["id", "t", "out", "in", "seen", "in what", "from", "paid", "how"]
    rows = [
        ["a", "2026-09-01 10:00:00", "", "5.00", "6.00", "usd", "us", "2026-09-03 00:00:00", "card"],
        ["b", "2026-09-01 10:00:00", "5.00", "", "", "", "nowhere", "", ""],
        ["c", "2026-09-01 10:00:00", "", "", "", "", "", "", ""],
    ]
    parsed = read(table(header, rows), config)
    first, second = parsed.lines
    assert (first.gross_minor, first.customer_minor, first.customer_currency) == (500, 600, "USD")
    assert (first.country, first.payout_at, first.method) == ("US", utc(2026, 9, 3), "card")
    assert (second.gross_minor, second.country) == (-500, "")
    assert [(one.line, one.column) for one in parsed.rejects] == [(4, "in")]


def test_a_document_of_json_is_read_by_its_items() -> None:
    config = described(items="data.rows", columns=ACME.columns | {"order_id": "meta.order", "gross": "sum.value"})
    item = {
        "Id": 820982911946154508,
        "Kind": "Sale",
        "Booked at": "2026-09-01T10:00:00Z",
        "sum": {"value": 100.10},
        "Fee": 2.5,
        "Net": "97.60",
        "Ccy": "EUR",
        "meta": {"order": 1001, "more": {"deep": [1]}},
        "Payment": None,
        "Batch": True,
    }
    parsed = read(json.dumps({"data": {"rows": [item, item | {"Fee": 3}]}}).encode(), config)
    (line,) = parsed.lines
    assert (line.line_id, line.order_id, line.gross_minor) == ("820982911946154508", "1001", 10010), "never a float"
    assert (line.payment_reference, line.payout_id) == ("", "true")
    assert [(one.line, one.column) for one in parsed.rejects] == [(2, "net")], "the second item"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"data": []}', r"no list of objects at 'data.rows'"),
        (b'{"data": {"rows": [1]}}', r"no list of objects at 'data.rows'"),
        (b'{"data": {"rows": [{"Id": NaN}]}}', "NaN is no number"),
        (b'{"data": {"rows": [{"Id": 1}]}}', "no item has amount; batch"),
        (b'{"data": ', "no JSON document"),
        (b"[" * 100_000, "no JSON document"),
    ],
)
def test_a_document_that_is_not_as_described_says_why(content: bytes, said: str) -> None:
    with pytest.raises(InvalidStatement, match=said):
        read(content, described(items="data.rows"))


def test_an_empty_document_is_a_statement_without_lines() -> None:
    assert read(b"[]", described(items=".")).rows == 0


def test_a_document_that_nobody_described_is_refused() -> None:
    with pytest.raises(InvalidStatement, match="no known statement header"):
        parse("x", b'{"data": []}')


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"columns": {"line_id": "Id"}}, "columns.created_at: missing"),
        ({"columns": {"line_id": "Id", "created_at": "t"}}, "columns.gross: missing (or net, or credit and debit)"),
        ({"columns": ACME.columns | {"colour": "c"}}, "columns.colour: unknown; known are country, "),
        ({"types": {"sale": "sold"}}, "types.sale: unknown kind 'sold'; known are charge, "),
        ({"kind": "charge"}, "kind: name it here or in a column `type`, one of the two"),
        ({"currency": "EUR"}, "currency: name it here or in a column, one of the two"),
        ({"unit": "cents"}, "unit: is 'cents'; use major or minor"),
        ({"decimal": ";"}, "decimal: is ';'; use . or ,"),
        ({"provider": ""}, "provider: missing"),
        ({"zone": "Mars/Olympus"}, "zone: names no time zone known here: 'Mars/Olympus'"),
    ],
)
def test_a_description_that_cannot_be_meant_is_refused_by_its_key(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        describe("acme", described(**change))
    assert any(one.startswith(f"statements.formats.acme.{problem}") for one in caught.value.problems)
    assert caught.value.exit_code == 3


def test_the_settings_explain_every_key_of_a_description() -> None:
    text = (Path(__file__).parents[2] / "settings.toml").read_text("utf-8")
    section = text[text.index("[default.statements]") : text.index("[default.reconciliation]")]
    keys = {field.name for field in dataclasses.fields(StatementFormatConfig)} | FIELDS
    assert {key for key in keys if key not in section} == set()


def test_formats_of_the_settings_are_strict(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ORDERS_ENV", "test")
    for name in ("ORDERS_STATEMENTS__ON_REJECT", "ORDERS_STATEMENTS__FORMATS"):
        monkeypatch.delenv(name, raising=False)
    good = (
        '[default.statements]\ndrop = "statements/drop/"\non_reject = "row"\n'
        '[default.statements.formats.acme]\nprovider = "acme"\nkind = "charge"\ncurrency = "EUR"\n'
        'columns = {line_id = "Id", created_at = "At", gross = "Amount"}\n'
    )
    (tmp_path / "settings.toml").write_text(good, "utf-8")
    config = load_statements(root=tmp_path)
    assert describe("acme", config.formats["acme"])
    bad = good.replace('"row"', '"cell"').replace("kind =", "kinds =")
    (tmp_path / "settings.toml").write_text(bad, "utf-8")
    with pytest.raises(ConfigurationError, match=r"formats\.acme\.kinds: unknown setting"):
        load_statements(root=tmp_path)
    (tmp_path / "settings.toml").write_text(good.replace('"row"', '"cell"'), "utf-8")
    with pytest.raises(ConfigurationError, match=r"statements\.on_reject: is 'cell'; use row or file"):
        load_statements(root=tmp_path)


def test_a_format_of_ones_own_does_not_take_what_has_a_name() -> None:
    """What is built in comes first, unless the format is asked for."""
    greedy = StatementFormatConfig(
        provider="greedy",
        kind="charge",
        columns={"line_id": "id", "created_at": "created (utc)", "gross": "amount", "currency": "currency"},
    )
    content = b"id,Type,Source,Amount,Fee,Net,Currency,Created (UTC)\n1,charge,c,1.00,0.00,1.00,eur,2026-09-11 09:00\n"
    assert parse("x", content, own=[describe("greedy", greedy)]).format == "stripe_balance_history"
    assert parse("x", content, "greedy", own=[describe("greedy", greedy)]).format == "greedy"
    assert "greedy" not in {dialect.name for dialect in DIALECTS}


def test_a_format_of_ones_own_goes_before_the_common_columns_of_a_bank() -> None:
    columns = {"line_id": "Reference", "created_at": "Date", "gross": "Amount", "currency": "Currency"}
    own = StatementFormatConfig(provider="acme", kind="charge", columns=columns)
    content = b"Date,Amount,Currency,Reference,IBAN\n2026-09-01 10:00:00,1.00,EUR,r1,A\n"
    assert parse("x", content).format == "bank_csv"
    assert parse("x", content, own=[describe("acme", own)]).format == "acme"


ROWS = st.tuples(NAMES, CURRENCIES, st.integers(-(10**10), 10**10), st.integers(-(10**5), 10**5), MOMENTS)


@given(st.lists(ROWS, max_size=5), st.sampled_from([".", ","]), st.booleans())
def test_what_is_written_is_read_back(
    rows: list[tuple[str, str, int, int, datetime]], decimal: str, grouped: bool
) -> None:
    grouping = {".": ",", ",": "."}[decimal] if grouped else ""
    config = described(decimal=decimal, grouped=grouped, date="%d/%m/%Y %H:%M:%S")
    body = []
    for name, currency, gross, fee, at in rows:
        texts = [written(minor, currency, decimal, grouping) for minor in (gross, fee, gross - fee)]
        body.append([name, "sale", f"{at:%d/%m/%Y %H:%M:%S}", *texts, currency, "", "", "", ""])
    parsed = read(table(HEADER, body), config)
    assert parsed.rejects == ()
    assert [(x.line_id, x.currency, x.gross_minor, x.fee_minor, x.created_at) for x in parsed.lines] == rows
