"""Bank accounts: CAMT.053 in its versions and a table; what was booked, by whom it is named, and balances that close."""

from datetime import date
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.statement_files import CURRENCIES, sample, table, utc, written
from worker.domain.errors import InvalidStatement
from worker.domain.ledger import BankEntry, BankStatus
from worker.domain.money import format_minor
from worker.services.ports import StatementScope
from worker.statements.parse import ParsedStatement, parse
from worker.statements.told import DateOrder, Told

CAMT = sample("camt053.xml")
GERMAN = sample("bank_de.csv")
ACCOUNT = "DE02120300000000202051"
BALANCE = "balance EUR of ...2051 STMT-1"


def replaced(old: str, new: str, *, times: int = -1) -> bytes:
    content = CAMT.decode().replace(old, new, times)
    assert content != CAMT.decode()
    return content.encode()


def told(parsed: ParsedStatement) -> list[tuple[int, BankStatus, bool]]:
    return [(entry.amount_minor, entry.status, entry.reversal) for entry in parsed.entries]


def test_camt_entries_are_signed_and_say_how_far_they_are() -> None:
    parsed = parse("x", CAMT)
    assert (parsed.format, parsed.provider, parsed.scope, parsed.lines) == ("camt053", "bank", StatementScope.BANK, ())
    assert parsed.sound
    assert told(parsed) == [
        (6818, BankStatus.BOOKED, False),
        (-2000, BankStatus.BOOKED, False),
        (-1000, BankStatus.BOOKED, True),
        (500, BankStatus.PENDING, False),
    ]
    assert (parsed.first_at, parsed.last_at) == (utc(2026, 9, 20, 22), utc(2026, 9, 21, 22)), (
        "the statement's own period"
    )


def test_camt_keys_of_an_entry() -> None:
    assert parse("x", CAMT).entries[0] == BankEntry(
        account=ACCOUNT,
        entry_id="BANKREF-1",
        amount_minor=6818,
        currency="EUR",
        booked_on=date(2026, 9, 21),
        value_on=date(2026, 9, 22),
        references=("BANKREF-1", "STRIPE-PO-1"),
        text="STRIPE po_1",
        counterparty="Stripe Payments Europe",
    )


def test_camt_opening_balance_and_booked_entries_make_the_closing_one() -> None:
    assert parse("x", CAMT).checks[BALANCE] == "ok: 1,000.00 and the entries make 1,038.18"
    wrong = parse("x", replaced("1038.18", "1038.19"))
    assert wrong.checks[BALANCE] == "failed: opening balance and entries make 1,038.18, closing is 1,038.19"
    assert not wrong.sound
    assert parse("x", replaced("CLBD", "CLAV")).checks[BALANCE].startswith("not in the file")
    counted = parse("x", replaced("<NbOfNtries>4", "<NbOfNtries>5"))
    assert counted.checks["number of entries of ...2051 STMT-1"] == "failed: the bank counts 5, there are 4"


def test_camt_a_balance_that_cannot_be_read_is_no_balance_that_is_missing() -> None:
    parsed = parse("x", replaced("1000.00", "1,000.00"))
    assert parsed.checks[BALANCE.replace("EUR", "OPBD")].startswith("failed: ")
    assert not parsed.sound


@pytest.mark.parametrize("version", ["02", "04", "08"])
def test_camt_versions_differ_in_their_names_alone(version: str) -> None:
    content = CAMT.decode().replace("camt.053.001.08", f"camt.053.001.{version}")
    if version != "08":
        for status in ("BOOK", "PDNG"):
            content = content.replace(f"<Sts><Cd>{status}</Cd></Sts>", f"<Sts>{status}</Sts>")
        content = content.replace("<Pty><Nm>", "<Nm>").replace("</Nm></Pty>", "</Nm>")
    assert parse("x", content.encode()).entries == parse("x", CAMT).entries
    prefixed = content.replace("<", "<c:").replace("<c:/", "</c:").replace("<c:?", "<?").replace("xmlns=", "xmlns:c=")
    assert parse("x", prefixed.encode()).entries == parse("x", CAMT).entries


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_camt_encodings(encoding: str) -> None:
    named = {"utf-8-sig": "UTF-8", "utf-16": "UTF-16", "cp1252": "windows-1252"}[encoding]
    content = CAMT.decode().replace('encoding="UTF-8"', f'encoding="{named}"').replace("STRIPE po_1", "Café po_1")
    assert parse("x", content.encode(encoding)).entries[0].text == "Café po_1"


def test_camt_a_batch_booked_in_one_sum_is_one_entry_with_all_references() -> None:
    second = "</TxDtls><TxDtls><Refs><EndToEndId>STRIPE-PO-2</EndToEndId></Refs><RmtInf><Ustrd>po_2</Ustrd></RmtInf>"
    (entry, *_) = parse("x", replaced("</TxDtls>", f"{second}</TxDtls>", times=1)).entries
    assert (entry.amount_minor, entry.references) == (6818, ("BANKREF-1", "STRIPE-PO-1", "STRIPE-PO-2"))
    assert entry.text == "STRIPE po_1 po_2"


def test_camt_equal_entries_of_one_day_are_two_and_keep_their_ids() -> None:
    start = CAMT.index(b"<Ntry>", CAMT.index(b"NOTPROVIDED") - 400)
    end = CAMT.index(b"</Ntry>", start) + len(b"</Ntry>")
    twice = CAMT[:end] + CAMT[start:end] + CAMT[end:]
    first, second = [entry.entry_id for entry in parse("x", twice).entries if entry.amount_minor == -2000]
    assert second == f"{first}-2"
    assert first == parse("x", CAMT).entries[1].entry_id, "the same in every file"
    assert len({entry.entry_id for entry in parse("x", twice).entries}) == 5


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ('<Amt Ccy="EUR">68.18</Amt>', '<Amt Ccy="EUR">68,18</Amt>', "Amt"),
        ('<Amt Ccy="EUR">68.18</Amt>', '<Amt Ccy="EUR">-68.18</Amt>', "Amt"),
        ('<Amt Ccy="EUR">68.18</Amt>', '<Amt Ccy="EUR">68.181</Amt>', "Amt"),
        ('<Amt Ccy="EUR">68.18</Amt>', "<Amt>68.18</Amt>", "Amt/Ccy"),
        ('<Amt Ccy="EUR">68.18</Amt>', "", "Amt"),
        ("</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK", "</Amt><CdtDbtInd>X</CdtDbtInd><Sts><Cd>BOOK", "CdtDbtInd"),
        ("<Sts><Cd>BOOK</Cd></Sts>\n        <BookgDt><Dt>2026-09-21</Dt></BookgDt><V", "<Sts>GONE</Sts><V", "Sts"),
        ("<BookgDt><Dt>2026-09-21</Dt></BookgDt><ValDt>", "<BookgDt><Dt>2026-09-31</Dt></BookgDt><ValDt>", "BookgDt"),
    ],
)
def test_camt_an_entry_that_cannot_be_read_is_rejected_by_its_line(old: str, new: str, column: str) -> None:
    parsed = parse("x", replaced(old, new, times=1))
    assert [(one.line, one.column) for one in parsed.rejects] == [(12, column)]
    assert (len(parsed.entries), parsed.rows) == (3, 4)
    assert parsed.checks[BALANCE].startswith("failed")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html><body/></html>", "XML, but no CAMT.053: its root is 'html' with 'body'"),
        (b"<Document><BkToCstmrDbtCdtNtfctn/></Document>", "its root is 'Document' with 'BkToCstmrDbtCdtNtfctn'"),
        (b"<Document><BkToCstmrStmt><Stmt/></BkToCstmrStmt></Document>", "names no account"),
        (CAMT[:900], "not well-formed XML"),
        (b"<" * 50, "not well-formed XML"),
    ],
)
def test_xml_that_is_no_statement_says_what_was_found(content: bytes, said: str) -> None:
    with pytest.raises(InvalidStatement, match=said):
        parse("x", content)


def test_a_table_in_german() -> None:
    parsed = parse("x", GERMAN)
    assert (parsed.format, parsed.scope) == ("bank_csv", StatementScope.BANK)
    assert parsed.sound
    assert told(parsed) == [
        (206818, BankStatus.BOOKED, False),
        (-490, BankStatus.BOOKED, False),
        (-490, BankStatus.BOOKED, False),
        (-995, BankStatus.PENDING, False),
    ]
    credit = parsed.entries[0]
    assert (credit.account, credit.references, credit.text) == (ACCOUNT, ("STRIPE-PO-1",), "STRIPE po_1")
    assert (credit.booked_on, credit.value_on) == (date(2026, 9, 21), date(2026, 9, 22))
    assert len({entry.entry_id for entry in parsed.entries}) == 4, "equal rows of one day are two entries"
    assert (parsed.first_at, parsed.last_at) == (utc(2026, 9, 21), utc(2026, 10, 1)), "whole days"


HEADER = ["Booking date", "Description", "Paid out", "Paid in", "Currency", "Balance", "Bank reference"]
BODY = [
    ["09/21/2026", "STRIPE po_1", "", "1,068.18", "USD", "2,068.18", "B1"],
    ["09/22/2026", "Rent", "68.18", "", "USD", "2,000.00", "B2"],
]


def test_debit_and_credit_in_columns_of_their_own_and_a_running_balance() -> None:
    with pytest.raises(InvalidStatement, match="names no bank account; say which one it is of"):
        parse("x", table(HEADER, BODY))
    parsed = parse("x", table(HEADER, BODY), told=Told(account="NL91ABNA0417164300"))
    assert [(x.entry_id, x.amount_minor, x.account) for x in parsed.entries] == [
        ("B1", 106818, "NL91ABNA0417164300"),
        ("B2", -6818, "NL91ABNA0417164300"),
    ]
    assert parsed.checks["running balance USD"] == "ok: closes over 2 rows"
    wrong = [BODY[0], [*BODY[1][:5], "2,000.01", "B2"]]
    broken = parse("x", table(HEADER, wrong), told=Told(account="A"))
    assert broken.checks["running balance USD"] == "failed: 1 gaps, first in line 3"
    assert parse("x", table(HEADER, BODY[::-1]), told=Told(account="A")).sound, "newest first is as good"


def test_a_table_whose_dates_nothing_decides_asks() -> None:
    rows = [["09/01/2026", *BODY[0][1:]]]
    with pytest.raises(InvalidStatement, match="--dates"):
        parse("x", table(HEADER, rows), told=Told(account="A"))
    parsed = parse("x", table(HEADER, rows), told=Told(account="A", dates=DateOrder.MONTH_FIRST))
    assert parsed.entries[0].booked_on == date(2026, 9, 1)


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (["09/31/2026", "x", "", "1.00", "USD", "", ""], "date"),
        (["09/21/2026", "x", "", "", "USD", "", ""], "amount"),
        (["09/21/2026", "x", "", "1.00", "", "", ""], "currency"),
        (["09/21/2026", "x", "", "one", "USD", "", ""], "credit"),
        (["09/21/2026", "x", "", "1.00", "USD", "none", ""], "balance"),
    ],
)
def test_a_row_that_cannot_be_read_is_rejected_with_its_place(row: list[str], column: str) -> None:
    parsed = parse("x", table(HEADER, [*BODY, row]), told=Told(account="A"))
    assert [(one.line, one.column) for one in parsed.rejects] == [(4, column)]
    assert len(parsed.entries) == 2


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=30)
ENTRIES = st.tuples(
    CURRENCIES,
    st.integers(-(10**12), 10**12),
    st.dates(date(1991, 1, 1), date(2098, 12, 31)),
    st.sampled_from(["BOOK", "PDNG", "INFO"]),
    TEXTS,
)


@given(st.lists(ENTRIES, max_size=5))
def test_camt_what_is_written_is_read_back(entries: list[tuple[str, int, date, str, str]]) -> None:
    written_entries = "".join(
        f'<Ntry><Amt Ccy="{currency}">{format_minor(abs(minor), currency).replace(",", "")}</Amt>'
        f"<CdtDbtInd>{'DBIT' if minor < 0 else 'CRDT'}</CdtDbtInd><Sts><Cd>{status}</Cd></Sts>"
        f"<BookgDt><Dt>{day}</Dt></BookgDt><NtryDtls><TxDtls><RmtInf><Ustrd>{escape(text)}</Ustrd></RmtInf></TxDtls>"
        f"</NtryDtls></Ntry>"
        for currency, minor, day, status, text in entries
    )
    account = "<Acct><Id><Othr><Id>1</Id></Othr></Id></Acct>"
    content = f"<Document><BkToCstmrStmt><Stmt>{account}{written_entries}</Stmt></BkToCstmrStmt></Document>"
    parsed = parse("x", content.encode())
    assert parsed.rejects == ()
    words = {BankStatus.BOOKED: "BOOK", BankStatus.PENDING: "PDNG", BankStatus.INFORMATION: "INFO"}
    read = [(x.currency, x.amount_minor, x.booked_on, words[x.status], x.text) for x in parsed.entries]
    assert read == entries
    assert len({x.entry_id for x in parsed.entries}) == len(entries)


@given(st.lists(st.tuples(st.integers(-(10**10), 10**10), st.dates(date(1991, 1, 13), date(2098, 12, 31))), max_size=5))
def test_a_table_that_is_written_is_read_back(rows: list[tuple[int, date]]) -> None:
    body = [[f"{day:%d.%m.%Y}", "text", written(minor, "EUR", ",", "."), "EUR", "A"] for minor, day in rows]
    parsed = parse("x", table(["Buchungstag", "Verwendungszweck", "Betrag", "Waehrung", "IBAN"], body))
    assert [(x.amount_minor, x.booked_on) for x in parsed.entries] == rows
    assert len({x.entry_id for x in parsed.entries}) == len(rows)
