"""A process that imports small statement files, then larger ones, and prints the most memory it had after either.

Program: FOLDER. The database and the lake take what they are told and keep nothing.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from worker.domain.ledger import LedgerLine
from worker.gateways.folder_store import FolderStore
from worker.lake import columns
from worker.lake.columns import batches_of
from worker.services.ports import RejectedRows, StatementFile
from worker.statements.importing import StatementImport

FEW, MANY = 1_000, 6_000


def adyen(rows: int) -> Iterator[str]:
    yield (
        "Merchant Account,Psp Reference,Merchant Reference,Payment Method,Creation Date,TimeZone,Type,"
        "Modification Reference,Gross Currency,Gross Debit (GC),Gross Credit (GC),Net Currency,Net Debit (NC),"
        "Net Credit (NC),Commission (NC),Markup (NC),Scheme Fees (NC),Interchange (NC),Batch Number"
    )
    for row in range(rows):
        yield f"M,psp{row},ORD-{row},visa,2026-11-03 10:15:26,CET,Settled,mod{row},EUR,,{row}.50,EUR,,{row}.20,,0.16,0.05,0.09,3"


def paypal(rows: int) -> Iterator[str]:
    """A third of the rows wait, and half are sides of conversions: what takes the most to be checked."""
    yield "Date,Time,TimeZone,Type,Status,Currency,Gross,Fee,Net,Transaction ID,Reference Txn ID,Invoice Number,Balance"
    for row in range(rows):
        kind = "General Currency Conversion" if row % 2 else "Express Checkout Payment"
        status = "Completed" if row % 3 else "Pending"
        balance = f"{(row + 1) * 970 // 100:,}.{(row + 1) * 970 % 100:02d}"
        yield f'23/11/2026,10:15:26,CET,{kind},{status},EUR,10.00,-0.30,9.70,T{row},R{row // 2},ORD-{row},"{balance}"'


def shopify(rows: int, net: str = "10.00") -> Iterator[str]:
    yield "Transaction Date,Type,Order,Payout Date,Payout ID,Amount,Fee,Net,Checkout,Payment Method Name,Currency"
    for row in range(rows):
        yield f"2026-11-03 10:15:26 +0100,charge,#{row},2026-12-01,{row // 100},10.50,0.50,{net},#C{row},card,EUR"


def rejected(rows: int) -> Iterator[str]:
    """No row of it can be read."""
    return shopify(rows, net="10.01")


class Nowhere:
    """A database of which nothing is asked again."""

    def transact(self, work: Callable[[Any], Any]) -> Any:
        def add(file: StatementFile, rejects: RejectedRows) -> bool:
            assert sum(1 for _ in rejects) == file.rejected
            return True

        statements, bank = SimpleNamespace(add=add), SimpleNamespace(add=lambda *_: 0)
        return work(SimpleNamespace(statements=statements, bank=bank))


class Passing:
    """A lake through which lines pass as columns, a batch at a time, as they do on their way to its files.

    The engine behind it has a limit of its own, and takes more or less of it as it likes.
    """

    def keep(self, _shop: str, _provider: str, _name: str, lines: Iterable[LedgerLine]) -> None:
        for _ in batches_of(LedgerLine, lines):
            pass


def peak_kb() -> int:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1])


def main(folder: Path) -> None:
    """Import."""
    columns.BATCH = FEW // 2
    lake: Any = Passing()
    database: Any = Nowhere()
    taking = StatementImport(database, FolderStore(folder / "store"), lambda: lake, "main")
    peaks = []
    for rows in (FEW, MANY):
        for form in (adyen, paypal, shopify, rejected):
            file = folder / f"{form.__name__}-{rows}.csv"
            with file.open("w") as written:
                written.writelines(f"{row}\n" for row in form(rows))
            taken = taking.take(file.name, file, datetime.now(UTC))
            assert (taken.file.rows, taken.file.rejected) == (rows, rows if form is rejected else 0)
        peaks.append(peak_kb())
    sys.stdout.write(json.dumps(peaks))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
