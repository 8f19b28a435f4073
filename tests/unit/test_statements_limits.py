"""What a file may not exceed, since it would have to be in memory: refused with what to do, or told as not checked."""

import hashlib
from pathlib import Path

import pytest

from tests.unit.lake_books import lake_in
from tests.unit.statement_files import sample, table
from worker.domain.errors import InvalidStatement
from worker.statement_settings import StatementFormatConfig
from worker.statements import bank_csv, camt, importing, reader, self_checks, xml
from worker.statements import parse as parsing
from worker.statements.large_report import OddRows, checks_of
from worker.statements.mapped import describe
from worker.statements.parse import parse
from worker.statements.told import Told


def test_of_a_document_of_xml_one_entry_is_in_memory_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    content = sample("camt053.xml")
    begins, ends = content.index(b"<Ntry>"), content.rindex(b"</Ntry>") + len(b"</Ntry>")
    many = content[:begins] + content[begins:ends] * 50 + content[ends:]
    monkeypatch.setattr(xml, "MOST_NODES", 100)
    assert parse("x", many).made == 200
    with pytest.raises(InvalidStatement, match="more than 100 elements"):
        parse("x", content[:begins] + b"<Bal></Bal>" * 200 + content[begins:])
    monkeypatch.setattr(camt, "MOST_ENTRIES", 100)
    with pytest.raises(InvalidStatement, match="bank entries: ask the bank for files of fewer days"):
        parse("x", many)


def test_a_document_that_is_read_as_a_whole_may_not_be_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "LARGEST_DOCUMENT", 1_000)
    columns = {"line_id": "id", "created_at": "at", "gross": "amount"}
    acme = describe(
        "acme", StatementFormatConfig(provider="acme", columns=columns, items=".", currency="EUR", kind="charge")
    )
    row = b'[{"id": "1", "at": "2026-11-03 10:15:26", "amount": "1.00"}]'
    assert parse("x", row, own=[acme]).made == 1
    with pytest.raises(InvalidStatement, match=r"JSON of more than .* ask for files of fewer days"):
        parse("x", row.rjust(1_001), own=[acme])


def test_a_file_without_the_end_of_a_line_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "LONGEST_LINE", 1 << 20)
    monkeypatch.setattr(reader, "PIECE", 1 << 16)
    for letter in (b"x", b",", "\u00e4".encode()):
        with pytest.raises(InvalidStatement, match="no end of a line within 1 MB"):
            parse("x", sample("stripe_payout.csv") + letter * (2 << 20))


def test_a_bank_is_asked_for_smaller_files(monkeypatch: pytest.MonkeyPatch) -> None:
    content = table(["Date", "Amount", "Currency", "Text"], [["2026-11-03", "1.00", "EUR", str(n)] for n in range(3)])
    acc = Told(account="DE1")
    assert parse("x", content, told=acc).made == 3
    monkeypatch.setattr(bank_csv, "MOST_ENTRIES", 2)
    with pytest.raises(InvalidStatement, match="bank entries: ask the bank for files of fewer days"):
        parse("x", content, told=acc)


def test_of_very_many_payouts_the_sums_are_not_told_either_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_checks, "MOST_PAYOUTS", 2)
    names = ["automatic_payout_id", "balance_transaction_id", "created_utc", "currency", "gross", "fee", "net"]
    for payouts in (2, 3):
        rows = [
            [f"po_{n}", f"txn_{n}", "2026-11-08 14:50:17", "eur", "10.00", "0.30", "9.70", "charge"]
            for n in range(payouts)
        ]
        path = tmp_path / "report.csv"
        path.write_bytes(table([*names, "reporting_category"], rows))
        checks = dict(parse("x", path.read_bytes()).checks)
        kept = lake_in(tmp_path).keep_report("main", "stripe", path, OddRows("main"))
        assert kept is not None
        assert checks_of(kept) == checks
        assert ("payouts" in checks, "payout po_0 EUR" in checks) == (payouts > 2, payouts <= 2)


def test_what_is_kept_is_what_was_read_whatever_becomes_of_the_file_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "activity.csv"
    path.write_bytes(sample("paypal_en.csv"))
    with importing._held(path) as held:
        path.write_bytes(b"something else")
        assert hashlib.sha256(held.read_bytes()).digest() == hashlib.sha256(sample("paypal_en.csv")).digest()
    assert not held.exists()
