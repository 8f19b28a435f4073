"""The lake: what providers stated and what a run compared, in columns, kept as files in the object store.

A run is gathered once, into a folder that nothing changes any more; everything after that reads from it. So a step
that is repeated, on whichever worker, reads the same, and a run can be done again years later.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from worker.domain.finding import Finding
from worker.domain.finding_codec import read_finding
from worker.domain.ledger import LedgerLine
from worker.domain.matching.payouts import PayoutSums
from worker.domain.matching.payouts_told import PayoutLines
from worker.domain.matching.rules import Rules
from worker.domain.matching.scope import Scope
from worker.domain.matching.sums import WindowSums
from worker.domain.payment import BookEntry
from worker.services.ports.reconciliation import RejectedRow, RejectedRows

R = TypeVar("R")

ENTRY_COLUMNS = (
    "shop",
    "order_id",
    "provider",
    "kind",
    "reference",
    "payment_reference",
    "amount_minor",
    "currency",
    "occurred_at",
    "method",
)
"""Fields of `BookEntry` as they are kept."""
TEXT_COLUMNS = tuple(name for name in ENTRY_COLUMNS if name not in {"shop", "provider"})
"""Those of a block's text, in its order: the others are the same in all of its rows."""
FIELD_END = b"\x1f"
"""Between the fields of a block that is not quoted: the character that ASCII has for it."""


BY_NUMBER = "#"
"""Before the number of an order, where owners of payments are told: no provider's reference begins with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryBlock:
    """Some book entries as text (UTF-8, a line each, no header), its columns TEXT_COLUMNS."""

    shop: str
    provider: str
    rows: int
    text: bytes
    quoted: bool = True
    """CSV (RFC 4180); otherwise fields are parted by FIELD_END, and none holds it, nor the end of a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineBatch:
    """Lines of a provider that are kept for good: one statement file, or what one run read."""

    name: str
    rows: int
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutNet:
    """The sum of a payout's own lines, or of the lines it pays out, in one currency."""

    payout_id: str
    currency: str
    is_payout: bool
    net_minor: int


class RowParser(Protocol):
    """Reads rows of a report that are not of the plain form."""

    def __call__(
        self, header: Sequence[str], rows: Iterable[tuple[int, tuple[str, ...]]]
    ) -> tuple[Sequence[LedgerLine], Sequence[RejectedRow]]:
        """Return the lines of the rows that can be read, and the others; each comes with its line in the file.

        Several threads may ask at once.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptReport:
    """A report whose lines are kept, and what its checks need to know of them."""

    batch: LineBatch
    rows: int
    """Records below the header."""
    rejects: RejectedRows
    repeated: tuple[str, ...]
    """Line ids that stand more than once."""
    nets: tuple[PayoutNet, ...]
    sums: Mapping[str, Mapping[str, int]]
    """What lines make by kind and currency, in minor units."""
    foreign: int
    """Lines of other shops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loose:
    """What lines that are aside name and our entries do not, sorted."""

    payments: list[str]
    """Those whose orders must be known before the rest can be judged; not those that no rule looks at."""
    orders: list[str]
    """What the lines call their orders: it may be the orders' numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What our database says of a run beside its entries."""

    owners: Mapping[str, str]
    """Orders of payments of which the entries know none, and those of numbers, which begin with BY_NUMBER."""
    suspects: Sequence[str] = ()
    """Keys that must be judged however well they agree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some keys that do not trivially agree, with all their movements, for the rules to judge."""

    entries: tuple[BookEntry, ...]
    lines: tuple[LedgerLine, ...]
    order_of_payment: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """What the engine found to agree without the rules: how many keys, and the sums of their movements."""

    keys: int
    sums: tuple[WindowSums, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the rules said of one part."""

    findings: tuple[Finding, ...]
    """Those that tell something, and those of keys that were open before."""
    sums: tuple[WindowSums, ...]
    agreeing: int = 0
    """Keys that agree and are no findings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What was kept of one part."""

    texts: tuple[str, ...]
    """Its findings as `finding_text` writes them, in the order that they were judged in: by key and currency."""
    sums: tuple[WindowSums, ...]
    agreeing: int

    @property
    def findings(self) -> Iterator[Finding]:
        """The findings, each read when it is asked for: as texts they take a fifth of the memory."""
        return map(read_finding, self.texts)


class Gathering(Protocol):
    """The writing side of one run."""

    def lines(self, lines: Iterable[LedgerLine]) -> None:
        """Keep what the provider's API told as a batch of its own, and compare with it."""
        ...

    def told(self, read: Callable[[str], Iterable[LedgerLine]]) -> None:
        """Keep what the provider's API tells as `lines` does, without ever holding it all.

        `read` is given the id of the line to go on behind, which an earlier attempt kept last; empty at the beginning.
        """
        ...

    def lasting(self, name: str, ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return what the provider said once and never says otherwise (JSON); it is asked only where that is not kept."""
        ...

    def statement(self, name: str, otherwise: Callable[[], Iterable[LedgerLine]]) -> None:
        """Compare with the batch of a statement file; where none is kept, `otherwise` says its lines, which then are."""
        ...

    def kept_lines(self, name: str) -> list[LedgerLine]:
        """Return the lines of a small file that was imported; none of one that is not in the lake."""
        ...

    def payout_lines(self, others: Sequence[str], since: datetime) -> tuple[PayoutLines, ...]:
        """Return the sums by payout over the lines of the statement and of others, as these were imported.

        Of others those lines count whose payout is of `since` or later.
        """
        ...

    def entries(self, blocks: Iterable[EntryBlock]) -> None:
        """Take our movements; after the lines, whose buckets they share."""
        ...

    def booked_orders(self) -> list[str]:
        """Return the orders of the entries, each once, sorted."""
        ...

    def records(self, kind: type[R], items: Iterable[R]) -> None:
        """Take records of another leg."""
        ...

    def seal(self, facts: Mapping[str, Any]) -> "Gathered":
        """Say that everything is in, together with facts about the run that later steps need (JSON)."""
        ...


class Gathered(Protocol):
    """The reading side of one run."""

    @property
    def reference(self) -> str:
        """What `RunLake.gathered` finds it by."""
        ...

    @property
    def facts(self) -> Mapping[str, Any]:
        """The facts it was sealed with."""
        ...

    @property
    def buckets(self) -> int:
        """How many parts there are to sift, at least 1."""
        ...

    @property
    def rows(self) -> int:
        """How many movements both sides hold together."""
        ...

    def sift(self, bucket: int, scope: Scope, rules: Rules, *, by_key: bool = True) -> None:
        """Set aside what does not trivially agree; once done, doing it again changes nothing.

        `by_key`: as `collect` has it.
        """
        ...

    def collect(
        self,
        ask: Callable[[Loose], Known],
        scope: Scope,
        rules: Rules,
        *,
        by_key: bool = True,
    ) -> int:
        """Bring together all movements of every key that does not trivially agree; return how many pieces that makes.

        After all buckets. `ask` returns what our database says of what our entries do not.
        """
        ...

    def piece(self, number: int) -> Piece:
        """Return one piece, after `collect`."""
        ...

    def payouts(self) -> tuple[PayoutSums, ...]:
        """Return the payouts that the provider told of; where it was not asked, those that stand beside their lines."""
        ...

    def cleared(self) -> Cleared:
        """Return what agrees without being in any piece, after `collect`."""
        ...

    def read(self, kind: type[R]) -> list[R]:
        """Return the records of another leg."""
        ...

    def recalled(self, name: str, ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return what a step needs of a database that moves on (JSON): asked for once, and the same ever after."""
        ...

    def keep_result(self, result: Iterable[bytes]) -> str:
        """Keep what the run found: JSON in pieces, in one form for one content. Return the SHA-256 of its bytes."""
        ...

    def result(self) -> Mapping[str, Any]:
        """Return what the run found. Raises Conflict when it is gone."""
        ...

    def keep_findings(self, part: str, judged: Judged) -> None:
        """Keep what the rules said of one part."""
        ...

    def findings(self, part: str) -> Kept:
        """Return what was kept of a part. Raises Conflict when it is gone."""
        ...


class RunLake(Protocol):
    """Where runs are gathered."""

    def keep(self, shop: str, provider: str, name: str, lines: Iterable[LedgerLine]) -> LineBatch:
        """Keep the lines of a statement file; the same name again is the same batch."""
        ...

    def keep_report(self, shop: str, provider: str, path: Path, parser: RowParser) -> KeptReport | None:
        """Keep the lines of a large report without reading it row by row, under the SHA-256 of what was read.

        None where it is not of a form for that.
        """
        ...

    def gathering(self, shop: str, provider: str, run_id: str) -> AbstractContextManager[Gathering]:
        """Begin to gather a run; what an earlier attempt left is not touched and not seen."""
        ...

    def gathered(self, reference: str) -> Gathered:
        """Return a run that was sealed. Raises Conflict when it is gone."""
        ...

    def again(self) -> AbstractContextManager["RunLake"]:
        """Open the lake for doing runs again from what they were gathered with.

        Nothing that their steps made is seen, and what they make now is gone afterwards.
        """
        ...

    def aside(self) -> AbstractContextManager["RunLake"]:
        """Open the lake for runs that leave nothing: what they read and make is gone afterwards."""
        ...
