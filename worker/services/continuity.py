"""Which imported statement files do not follow one another: a day whose file was never imported is told, not guessed."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from worker.domain.continuity import Joint, Seam, seams
from worker.services.ports import Database, StatementFile, StatementScope, Transaction

NEAR = timedelta(days=35)
"""Files further apart than this are no neighbours: whoever begins anew after months lacks no file."""


def seams_of(tx: Transaction, shop: str, provider: str | None = None) -> tuple[Mapping[str, StatementFile], list[Seam]]:
    """Return the files of a shop that say what they begin and end with, and how each follows those of its provider."""
    files = tx.statements.marks(shop, provider)
    found: list[Seam] = []
    for one in sorted({file.provider for file in files.values()}):
        found += seams({sha256: file.marks for sha256, file in files.items() if file.provider == one})
    return files, found


def gaps_of(database: Database, file: StatementFile) -> list[str]:
    """Return, in sentences, what lies between a statement and its neighbours and is in no imported file."""
    if not file.marks:
        return []
    files, told = database.transact(lambda tx: seams_of(tx, file.shop, file.provider))
    names = {sha256: one.name for sha256, one in files.items()}
    return [
        f"statement {names[one.file]} does not follow the one before: {one.text(names, file.provider)}"
        for one in told
        if one.joint is Joint.GAP and file.sha256 in {one.file, one.before} and _near(one)
    ]


def bank_gaps(tx: Transaction, shop: str, start: datetime, end: datetime) -> list[str]:
    """Return, in sentences, what lies between a shop's bank statements in [start, end] and is in no imported file."""
    files, told = seams_of(tx, shop)
    names = {sha256: one.name for sha256, one in files.items()}
    return [
        f"bank statement {names[one.file]} does not follow the one before: {one.text(names, files[one.file].provider)}"
        for one in told
        if one.joint is Joint.GAP
        and files[one.file].scope is StatementScope.BANK
        and _near(one)
        and (one.closed_at or one.mark.first_at) <= end
        and one.mark.first_at >= start
    ]


def bank_currencies(tx: Transaction, shop: str, start: datetime) -> list[str]:
    """Return the currencies of accounts whose balance a bank statement of the shop tells that ends at `start` or later."""
    banks = (file for file in tx.statements.marks(shop, None).values() if file.scope is StatementScope.BANK)
    return sorted({mark.unit for file in banks for mark in file.marks if mark.last_at >= start})


def _near(seam: Seam) -> bool:
    return seam.closed_at is None or seam.mark.first_at - seam.closed_at <= NEAR
