"""What is read in bulk and what row by row is the same, for any report; what cannot be is left to the parser."""

import csv
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from tests.unit.lake_books import lake_in
from worker.domain.ledger import LedgerLine
from worker.lake import repeats, stripe_report
from worker.lake.columns import items_of
from worker.lake.gathering import Lake
from worker.lake.stripe_report import read_report
from worker.services.ports import RejectedRow
from worker.services.ports.lake import KeptReport
from worker.statements.large_report import OddRows, checks_of
from worker.statements.parse import parse

HEADER = (
    "automatic_payout_id",
    "Balance_Transaction_ID",
    "created_utc",
    "currency",
    "gross",
    "fee",
    "net",
    "reporting_category",
    "source_id",
    "payment_intent_id",
    "payment_method_type",
    "card_country",
    "customer_facing_amount",
    "customer_facing_currency",
    "automatic_payout_effective_at",
    "payment_metadata[order_id]",
    "payment_metadata[shop]",
    "description",
)
PLAIN = [
    "po_1",
    "txn_{0}",
    "2026-11-08 14:50:17",
    "eur",
    "10.00",
    "0.30",
    "9.70",
    "charge",
    "ch_{0}",
    "pi_{0}",
    "card",
    "DE",
    "10.00",
    "eur",
    "2026-11-10 00:00:00",
    "ORD-{0}",
    "main",
    "Mug",
]
AMOUNTS = [
    "10.00",
    "10",
    "-3.50",
    "+3",
    "0.30",
    "9.70",
    "1e3",
    "1,000.00",
    "0.305",
    "",
    " 7.00 ",
    "99999999999999",
    "1000",
]
CELLS: dict[int, list[str]] = {
    0: ["", "po_1", "po_2", "x" * 129],
    1: ["txn_1", "txn_2", "", "tx n", "txn_é", '"txn"', "x" * 129],
    2: ["2026-11-08 14:50:17", "2026-11-08T14:50:17", "2026-11-08", "2026-13-08 14:50:17", "1985-01-01 00:00:00",
         "2026-11-08 14:50:17 +0400", "2026-11-08 14:50:17.25", "2026-02-30 00:00:00", ""],
    3: ["eur", "EUR", "jpy", "kwd", "isk", "xyz", "e", "eu1", ""],
    4: AMOUNTS,
    5: AMOUNTS,
    6: AMOUNTS,
    7: ["charge", "refund", "payout", "fee", "dispute", "climate", "", "Charge"],
    8: ["", "ch_1", "re_1", "a b"],
    9: ["", "pi_1", "pi_\t"],
    10: ["", "card", "sepa_debit"],
    11: ["", "DE", "de", "DEU", "1"],
    12: ["", "10.00", "12.50", "$12.50", "-10.00"],
    13: ["", "eur", "usd", "EUR"],
    14: ["", "2026-11-10", "2026-11-10 00:00:00", "10.11.2026", "2026-02-31"],
    15: ["", "ORD-1", "ORD 1", "ü"],
    16: ["", "main", "other"],
    17: ["", "Mug, blue", 'a "quoted" one'],
}  # fmt: skip


def rows(seed: int, count: int = 1500) -> list[list[str]]:
    """Return rows of which a third have up to three cells that are anything but plain."""
    chance = Random(seed)
    made = []
    for number in range(count):
        row = [cell.format(number) for cell in PLAIN]
        if chance.random() < 0.35:
            for at in chance.sample(sorted(CELLS), chance.randint(1, 3)):
                row[at] = chance.choice(CELLS[at])
        made.append(row)
    return made


def written(folder: Path, rows: Sequence[Sequence[str]], end: str = "\n", bom: str = "") -> Path:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=end)
    writer.writerows([HEADER, *rows])
    path = folder / "report.csv"
    path.write_bytes((bom + text.getvalue()).encode())
    return path


def report_in_bulk(folder: Path, path: Path) -> tuple[Lake, KeptReport | None]:
    lake = lake_in(folder, rows_per_bucket=4)
    return lake, lake.keep_report("main", "stripe", path, OddRows("main"))


def in_bulk(folder: Path, path: Path) -> tuple[list[LedgerLine], tuple[RejectedRow, ...], dict[str, str]] | None:
    lake, kept = report_in_bulk(folder, path)
    if kept is None:
        return None
    batch = lake.batches.find("main", "stripe", hashlib.sha256(path.read_bytes()).hexdigest())
    assert batch is not None
    return sorted(lake.batches.lines(batch), key=repr), tuple(kept.rejects), checks_of(kept)


@pytest.mark.parametrize(
    ("end", "bom", "tidy"),
    [("\n", "", False), ("\n", "", True), ("\r\n", "\ufeff", False)],
    ids=["plain", "printable ASCII throughout", "marked, CRLF"],
)
def test_bulk_reads_what_the_parser_reads(
    end: str, bom: str, tidy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe_report, "_BLOCK", 10_000)
    made = [*rows(seed=len(end)), [""] * len(HEADER), *rows(seed=len(end) + 10, count=10)]
    if tidy:
        made = [["".join(sign for sign in cell if " " <= sign <= "~") for cell in row] for row in made]
    path = written(tmp_path, made, end, bom)
    parsed = parse(path.name, path.read_bytes(), shop="main")
    found = in_bulk(tmp_path, path)
    assert found is not None
    lines, rejects, checks = found
    assert [row for row in rejects if row not in parsed.rejects] == []
    assert rejects == parsed.rejects
    assert len(rejects) > 50
    assert set(lines) ^ set(parsed.lines) == set()
    assert len(lines) == len(parsed.lines) > 800
    assert checks == parsed.checks


def test_what_is_told_of_a_file_is_the_same_either_way(tmp_path: Path) -> None:
    path = written(tmp_path, rows(seed=7, count=400))
    parsed = parse(path.name, path.read_bytes(), shop="main")
    _, kept = report_in_bulk(tmp_path, path)
    assert kept is not None
    assert kept.sums == parsed.sums
    assert (kept.rows, kept.batch.rows) == (parsed.rows, parsed.made)
    assert (kept.batch.first_at, kept.batch.last_at) == (parsed.first_at, parsed.last_at)
    assert kept.batch.name == parsed.sha256
    assert kept.foreign == sum(line.shop not in {"", "main"} for line in parsed.lines) > 0


@pytest.mark.parametrize("at_once", [10, 1000])
def test_a_plain_report_is_read_in_bulk(at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "SHARE", at_once)
    plain = [[cell.format(number) for cell in PLAIN] for number in range(50)]
    path = written(tmp_path, [*plain, plain[7]])
    found = in_bulk(tmp_path, path)
    assert found is not None
    lines, rejects, checks = found
    assert (len(lines), rejects) == (51, ())
    assert checks["each balance transaction once"] == "failed: 1 repeated, first txn_7"
    assert checks["payout po_1 EUR"] == "not in the file: its items make EUR 494.70"


def test_what_was_converted_is_read_in_bulk(tmp_path: Path) -> None:
    """A shop that sells in other currencies has so many of these that they must not be exceptions."""
    row = [cell.format(1) for cell in PLAIN]
    row[4:7], row[12], row[13] = ["-10.00", "0.30", "-10.30"], "1250", "jpy"
    report = read_report(written(tmp_path, [row]), "main")
    assert report is not None
    (block,) = report.blocks(hashlib.sha256())
    read = report.read(block)
    assert read.odd == []
    (line,) = items_of(LedgerLine, read.lines)
    assert (line.customer_minor, line.customer_currency) == (-1250, "JPY")


def test_the_last_line_needs_no_end(tmp_path: Path) -> None:
    path = written(tmp_path, [[cell.format(number) for cell in PLAIN] for number in range(3)])
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    found = in_bulk(tmp_path, path)
    assert found is not None
    assert len(found[0]) == 3


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("size", [150, 151, 175, 176, 177, 349, 350, 1000, 100_000])
def test_blocks_are_whole_rows_wherever_they_end_and_every_byte_is_hashed(
    size: int, end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe_report, "_BLOCK", size)
    path = written(tmp_path, [[cell.format(number) for cell in PLAIN] for number in range(9)], bom="\ufeff")
    path.write_bytes(path.read_bytes().removesuffix(b"\n") + end.encode())
    report, digest = read_report(path, "main"), hashlib.sha256()
    assert report is not None
    found = list(report.blocks(digest))
    lines = path.read_bytes().splitlines(keepends=True)
    for block in found:
        assert b"".join(lines[block.line - 1 :][: block.rows]).removesuffix(
            b"\n"
        ) == block.text.to_pybytes().removesuffix(b"\n")
    assert sum(block.rows for block in found) == 9
    assert digest.hexdigest() == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_very_long_row_is_the_parsers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe_report, "_BLOCK", 1000)
    monkeypatch.setattr(stripe_report, "_LONGEST", 1500)
    rows = [[cell.format(number) for cell in PLAIN] for number in range(9)]
    rows[4][17] = "m" * 2000
    assert in_bulk(tmp_path, written(tmp_path, rows)) is None


@pytest.mark.parametrize("cell", [b'Mug"', b'"Mug" blue', b'M"u"g', b'"Mug', "Käse".encode("cp1252")])
def test_quotes_and_bytes_that_may_be_read_in_two_ways_are_the_parsers(cell: bytes, tmp_path: Path) -> None:
    path = written(tmp_path, [[text.format(number) for text in PLAIN] for number in range(3)])
    path.write_bytes(path.read_bytes().replace(b"Mug", cell, 1))
    assert in_bulk(tmp_path, path) is None


def test_a_record_of_two_lines_is_the_parsers(tmp_path: Path) -> None:
    plain = [[cell.format(number) for cell in PLAIN] for number in range(5)]
    plain[3][17] = "two\nlines"
    assert in_bulk(tmp_path, written(tmp_path, plain)) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"date,amount\n2026-01-01,1\n",
        b"\xff\xfe" + ",".join(HEADER).encode("utf-16-le"),
        (",".join(HEADER) + "\n" + ",".join(PLAIN) + "\nTotal" + "," * 17 + "\n").encode(),
        (",".join(HEADER) + "\nshort,row\n").encode(),
        (",".join(HEADER) + ",gross\n").encode(),
    ],
)
def test_what_is_no_plain_table_is_the_parsers(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    assert in_bulk(tmp_path, path) is None
