"""Bank statements written on the fly: CAMT.053 with its period and balances, and a table as a bank's site exports it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from tests.unit.statement_files import table
from worker.domain.money import format_minor

ACCOUNT = "DE02120300000000202051"
OPENING = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """One booked entry; `text` is what the payer wrote."""

    on: date
    minor: int
    text: str
    payer: str = "Stripe Technology Europe"


def camt(first: date, last: date, bookings: Sequence[Booking], number: str = "1", opening: int = OPENING) -> bytes:
    """Write a statement of [first, last], both whole days of a bank in Germany, in winter."""
    entries = "".join(_entry(one, f"{number}-{place}") for place, one in enumerate(bookings))
    before = first - timedelta(days=1)
    closing = opening + sum(one.minor for one in bookings)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>
<GrpHdr><MsgId>M{number}</MsgId><CreDtTm>{last + timedelta(days=1)}T05:00:00</CreDtTm></GrpHdr>
<Stmt><Id>STMT-{number}</Id>
<FrToDt><FrDtTm>{before}T23:00:00Z</FrDtTm><ToDtTm>{last}T23:00:00Z</ToDtTm></FrToDt>
<Acct><Id><IBAN>{ACCOUNT}</IBAN></Id><Ccy>EUR</Ccy></Acct>
{_balance("OPBD", opening, first)}{_balance("CLBD", closing, last)}
{entries}</Stmt></BkToCstmrStmt></Document>""".encode()


def bank_table(bookings: Sequence[Booking]) -> bytes:
    """Write a table of bookings."""
    rows = [
        (ACCOUNT, one.on.isoformat(), one.text, one.payer, format_minor(one.minor, "EUR"), "EUR") for one in bookings
    ]
    return table(("IBAN", "Booking Date", "Remittance Information", "Counterparty", "Amount", "Currency"), rows)


def _entry(booking: Booking, name: str) -> str:
    side = "CRDT" if booking.minor >= 0 else "DBIT"
    return (
        f'<Ntry><Amt Ccy="EUR">{format_minor(abs(booking.minor), "EUR").replace(",", "")}</Amt><CdtDbtInd>{side}</CdtDbtInd>'
        f"<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{booking.on}</Dt></BookgDt><AcctSvcrRef>REF-{name}</AcctSvcrRef>"
        f"<NtryDtls><TxDtls><RltdPties><Dbtr><Pty><Nm>{booking.payer}</Nm></Pty></Dbtr></RltdPties>"
        f"<RmtInf><Ustrd>{booking.text}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
    )


def _balance(kind: str, minor: int, on: date) -> str:
    amount = format_minor(minor, "EUR").replace(",", "")
    return (
        f'<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{amount}</Amt>'
        f"<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>{on}</Dt></Dt></Bal>"
    )
