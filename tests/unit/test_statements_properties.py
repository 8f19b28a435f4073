"""Statement files of any content: what is written is read back, and whatever is damaged is rejected, never a crash."""

import csv
import io
from datetime import UTC, datetime

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.statement_files import MOMENTS, sample
from worker.domain.errors import InvalidStatement
from worker.domain.ledger import STRIPE_CATEGORIES, LedgerLine, LineKind
from worker.domain.money import format_minor
from worker.statements.parse import ParsedStatement, parse

STRIPE = sample("stripe_payout.csv")
ADYEN = sample("adyen_batch.csv")


NAMES = st.text("ABCabc019_#-", min_size=1, max_size=20)


@st.composite
def ledger_lines(draw: st.DrawFn) -> LedgerLine:
    gross = draw(st.integers(-(10**11), 10**11))
    fee = draw(st.integers(-(10**6), 10**6))
    category = draw(st.sampled_from([*STRIPE_CATEGORIES, "network_cost"]))
    return LedgerLine(
        line_id=draw(NAMES),
        provider="stripe",
        kind=STRIPE_CATEGORIES.get(category, LineKind.UNCLASSIFIED),
        currency=draw(st.sampled_from(["EUR", "USD", "JPY", "KWD", "ISK", "MGA"])),
        gross_minor=gross,
        fee_minor=fee,
        net_minor=gross - fee,
        created_at=draw(MOMENTS),
        payment_reference=draw(st.just("") | NAMES),
        order_id=draw(st.just("") | NAMES),
        source_id=draw(st.just("") | NAMES),
        payout_id=draw(st.just("") | NAMES),
        type_text=category,
    )


def major(minor: int, currency: str) -> str:
    return format_minor(minor, currency, "stripe").replace(",", "")


WRITTEN = (
    "payout_id",
    "balance_transaction_id",
    "created_utc",
    "currency",
    "gross",
    "fee",
    "net",
    "reporting_category",
    "source_id",
    "payment_intent_id",
    "payment_metadata[order_id]",
)


def rendered(lines: list[LedgerLine]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(WRITTEN)
    for line in lines:
        amounts = [major(minor, line.currency) for minor in (line.gross_minor, line.fee_minor, line.net_minor)]
        at = f"{line.created_at:%Y-%m-%d %H:%M:%S}"
        names = [line.type_text, line.source_id, line.payment_reference, line.order_id]
        writer.writerow([line.payout_id, line.line_id, at, line.currency.lower(), *amounts, *names])
    return text.getvalue().encode()


@given(st.lists(ledger_lines(), max_size=6))
def test_what_is_written_is_read_back(lines: list[LedgerLine]) -> None:
    parsed = parse("x", rendered(lines))
    assert list(parsed.lines) == lines
    assert parsed.rejects == ()


def whole(parsed: ParsedStatement) -> bool:
    """Every record became lines or one reject, and every line adds up."""
    read_rows = len({line.line_id.removesuffix("-out").removesuffix("-in") for line in parsed.lines})
    return (
        read_rows + len(parsed.rejects) <= parsed.rows <= len(parsed.lines) + len(parsed.rejects)
        and all(line.gross_minor - line.fee_minor == line.net_minor for line in parsed.lines)
        and all(line.created_at.tzinfo is UTC for line in parsed.lines)
    )


def survives(content: bytes) -> None:
    try:
        parsed = parse("x", content)
    except InvalidStatement:
        return
    assert whole(parsed)


@settings(max_examples=300)
@given(st.sampled_from([STRIPE, ADYEN]), st.data())
def test_a_corrupted_file_is_rejected_never_a_crash(content: bytes, data: st.DataObject) -> None:
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        what = data.draw(st.sampled_from(["byte", "cut", "drop", "repeat"]))
        if what == "byte":
            damaged[at] = data.draw(st.integers(0, 255))
        elif what == "cut":
            del damaged[at + 1 :]
        elif what == "drop":
            del damaged[at : at + data.draw(st.integers(1, 40))]
        else:
            damaged[at:at] = damaged[at : at + 40]
        if not damaged:
            break
    survives(bytes(damaged))


@given(st.binary(max_size=300))
@example(b'"')
@example(b"\xef\xbb\xbf")
def test_any_bytes_are_survived(content: bytes) -> None:
    survives(content)


COLUMNS = STRIPE.decode().splitlines()[0].split(",")


@given(st.sampled_from(COLUMNS), st.text(max_size=40))
@example("created_utc", "9999-12-31 23:59:59-1200")
@example("created_utc", "2026-01-01 00:00:00+9999")
@example("gross", "\N{ARABIC-INDIC DIGIT THREE}.00")
@example("currency", "\N{LATIN SMALL LETTER LONG S}ss")
def test_any_cell_is_survived(column: str, text: str) -> None:
    table = list(csv.DictReader(io.StringIO(STRIPE.decode())))
    table[0][column] = text
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows(table)
    survives(out.getvalue().encode("utf-8", "surrogatepass"))


ADYEN_COLUMNS = ADYEN.decode().splitlines()[0].split(",")
ADYEN_WORDS = {
    "Settled": LineKind.CHARGE,
    "Refunded": LineKind.REFUND,
    "Chargeback": LineKind.DISPUTE,
    "ChargebackReversed": LineKind.DISPUTE_REVERSAL,
    "RefundedReversed": LineKind.REFUND_FAILURE,
    "DepositCorrection": LineKind.ADJUSTMENT,
}


def sided(minor: int, currency: str) -> tuple[str, str]:
    """Return debit and credit cells."""
    text = format_minor(abs(minor), currency, "adyen").replace(",", "")
    return (text, "") if minor < 0 else ("", text)


@given(
    st.sampled_from(sorted(ADYEN_WORDS)),
    st.sampled_from(["EUR", "CLP", "CVE", "IDR", "KWD"]),
    st.integers(-(10**11), 10**11),
    st.lists(st.integers(-(10**6), 10**6), min_size=4, max_size=4),
    MOMENTS,
)
def test_adyen_what_is_written_is_read_back(
    word: str, currency: str, gross: int, fees: list[int], at: datetime
) -> None:
    net = gross - sum(fees)
    row = dict.fromkeys(ADYEN_COLUMNS, "") | {
        "Psp Reference": "8816",
        "Merchant Reference": "1001",
        "Creation Date": f"{at:%Y-%m-%d %H:%M:%S}",
        "TimeZone": "UTC",
        "Type": word,
        "Gross Currency": currency,
        "Net Currency": currency,
        "Batch Number": "7",
    }
    row["Gross Debit (GC)"], row["Gross Credit (GC)"] = sided(gross, currency)
    row["Net Debit (NC)"], row["Net Credit (NC)"] = sided(net, currency)
    for column, fee in zip(("Commission", "Markup", "Scheme Fees", "Interchange"), fees, strict=True):
        row[f"{column} (NC)"] = format_minor(fee, currency, "adyen").replace(",", "")
    text = io.StringIO()
    writer = csv.DictWriter(text, ADYEN_COLUMNS)
    writer.writeheader()
    writer.writerow(row)
    (line,) = parse("x", text.getvalue().encode()).lines
    assert (line.kind, line.currency, line.gross_minor, line.fee_minor, line.net_minor, line.created_at) == (
        ADYEN_WORDS[word],
        currency,
        gross,
        sum(fees),
        net,
        at,
    )
