"""Taking a statement file in: read, judged, kept as it came in the object store, and stored in MySQL.

The same file (SHA-256) is taken once, however often and under whatever name it comes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.domain.errors import InvalidStatement
from worker.services.ports import Database, ObjectStore, StatementFile, Transaction
from worker.statements.dialect import Dialect
from worker.statements.mapped import MappedJson
from worker.statements.parse import ParsedStatement, parse
from worker.statements.told import Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of a file."""

    file: StatementFile
    parsed: ParsedStatement
    added: bool
    """False: this very file was there already, and nothing was added."""
    foreign: int
    """Lines of other shops on the same provider account, which are left out."""
    new_entries: int
    """Bank entries that no file held before."""


class StatementImport:
    """Takes files of one shop in."""

    def __init__(
        self,
        database: Database,
        store: ObjectStore,
        shop: str,
        *,
        own: Sequence[Dialect | MappedJson] = (),
        whole: bool = False,
    ) -> None:
        """`own` are formats described in the settings; `whole` refuses a file of which anything cannot be relied on."""
        self._database = database
        self._store = store
        self._shop = shop
        self._own = own
        self._whole = whole

    def take(
        self,
        name: str,
        content: bytes,
        now: datetime,
        *,
        format_name: str | None = None,
        provider: str | None = None,
        told: Told | None = None,
    ) -> Imported:
        """Take one file in. `provider` says whose books it is of, where that is not the format's own.

        Raises InvalidStatement when it cannot be read, or when it is damaged and only whole files are wanted.
        """
        parsed = parse(name, content, format_name, shop=self._shop, told=told, own=self._own)
        if self._whole:
            insist(parsed)
        file = StatementFile(
            sha256=parsed.sha256,
            shop=self._shop,
            provider=provider or parsed.provider,
            format=parsed.format,
            name=name[-512:],
            imported_at=now,
            rows=parsed.rows,
            rejected=len(parsed.rejects),
            first_at=parsed.first_at,
            last_at=parsed.last_at,
            checks=parsed.checks,
            scope=parsed.scope,
        )
        ours = [line for line in parsed.lines if line.shop in {"", self._shop}]
        self._store.put(f"statements/{file.provider}/{file.sha256}.{_ending(content)}", content)

        def stored(tx: Transaction) -> tuple[bool, int]:
            if not tx.statements.add(file, ours, parsed.rejects):
                return False, 0
            return True, tx.bank.add(self._shop, file.sha256, parsed.entries)

        added, new = self._database.transact(stored)
        foreign = len(parsed.lines) - len(ours)
        return Imported(file=file, parsed=parsed, added=added, foreign=foreign, new_entries=new)


def insist(parsed: ParsedStatement) -> None:
    """Refuse a file with rows that cannot be read, or that contradicts itself. Raises InvalidStatement."""
    wrong = [f"line {row.line}, {row.column or 'the row'}: {row.reason}" for row in parsed.rejects]
    wrong = wrong or parsed.failed
    if wrong:
        more = f" (and {len(wrong) - 3} more)" if len(wrong) > 3 else ""
        raise InvalidStatement(
            f"{parsed.name} is refused as a whole (statements.on_reject): {'; '.join(wrong[:3])}{more}; "
            "`orders statements preview` shows all of it"
        )


def _ending(content: bytes) -> str:
    start = content.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\x00")[:1]
    return {b"<": "xml", b"{": "json", b"[": "json"}.get(start, "csv")
