"""Bringing together what the rules must judge: whole keys, however little of them differs, in bounded pieces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from worker.domain.ledger import LedgerLine
from worker.domain.matching.issue import MAX_FACTS
from worker.domain.matching.rules import Reference, Rules
from worker.domain.matching.scope import Scope
from worker.domain.matching.sums import WindowSums
from worker.lake.columns import ENTRY_SCHEMA, naive, schema_of
from worker.lake.engine import Engine, parquet, quoted
from worker.lake.naming import ENTRY_CLASS, ENTRY_NAME, LINE_CLASS, LINE_NAME, PAYMENT_OF_LINE
from worker.lake.sifting import sums_of, view
from worker.services.ports.lake import BY_NUMBER, Loose

_FOLDER = Path(__file__).parent
_NEAR = (_FOLDER / "near.sql").read_text("utf-8")
_NAMED = {
    "entry_class": ENTRY_CLASS,
    "entry_name": ENTRY_NAME,
    "line_class": LINE_CLASS,
    "line_name": LINE_NAME,
    "payment_of_line": PAYMENT_OF_LINE,
}
_COLLECT = (_FOLDER / "collect.sql").read_text("utf-8")
_MOVED = (_FOLDER / "moved.sql").read_text("utf-8")
_AGREE = (_FOLDER / "agree.sql").read_text("utf-8")
_OWNED_LINES = pa.schema(
    [*schema_of(LedgerLine), pa.field("payment_owner", pa.string()), pa.field("source_owner", pa.string())]
)
ROWS_AT_ONCE = 100_000
"""Judged rows whose keys are looked at together, whether they agree: some 30 MB."""
_BY_REFERENCE = {
    Reference.PAYMENT: "payment_owner",
    Reference.ORDER: "nullif(order_id, '')",
    Reference.SOURCE: "source_owner",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """Files of the pieces, entries and lines by number, and what is left when they are taken out."""

    entries: tuple[Path, ...]
    lines: tuple[Path, ...]
    cleared_keys: int
    recalled: tuple[WindowSums, ...]
    """Of what was cleared too early: to be taken out of what the buckets summed up."""
    agreed: tuple[WindowSums, ...]
    """Of the keys that agree as a whole and are in no piece: to be put in."""

    @property
    def pieces(self) -> int:
        """How many pieces there are."""
        return len(self.entries)


class Books:
    """The books of a run whose buckets are all sifted, opened to collect what the rules must judge."""

    def __init__(
        self,
        opened: Engine,
        *,
        all_entries: Sequence[Path],
        all_lines: Sequence[Path],
        aside_entries: Sequence[Path],
        aside_lines: Sequence[Path],
        rules: Rules,
        shop: str,
    ) -> None:
        self._opened = opened
        self._rules = rules
        self._shop = shop
        for name, paths in (("entry", all_entries), ("line", all_lines)):
            view(opened, name, paths or [_nothing(opened, name)])
        view(opened, "aside_entry", aside_entries)
        view(opened, "aside_line", aside_lines)
        opened.connection.execute(_NEAR)

    def loose(self) -> Loose:
        """Return what our entries do not say of the lines that are aside."""
        named = {Reference.PAYMENT: "payment_reference", Reference.SOURCE: "source_id"}
        # Whether a line that names another shop is ours, our books say by any of its references.
        others = f"shop not in ('', {quoted(self._shop)})"
        asked = " union all ".join(
            f"select {column} as name from aside_line where {reference in self._rules.references} or {others}"  # noqa: S608
            for reference, column in named.items()
        )
        payments = (
            f"select distinct name from ({asked}) where name <> '' "  # noqa: S608 - our own columns
            "and name not in (select payment_reference from near_entry) order by name"
        )
        orders = (
            "select distinct order_id from aside_line where order_id <> '' "
            "and order_id not in (select order_id from near_entry) order by order_id"
        )
        return Loose(payments=_texts(self._opened, payments), orders=_texts(self._opened, orders))

    def collect(
        self,
        owners: Mapping[str, str],
        suspects: Sequence[str],
        scope: Scope,
        *,
        keys_per_piece: int,
        by_key: bool,
    ) -> Collected:
        """Collect. `owners` are the orders of payments of which the entries know none; `suspects` keys that must be judged.

        `by_key`: keys that agree as a whole are cleared as well.
        """
        opened, sql = self._opened, self._opened.connection
        _table(opened, "owner", {"reference": list(owners), "order_id": list(owners.values())})
        _table(opened, "suspect", {"key": list(suspects)})
        by_reference = ", ".join(f"'order/' || {_BY_REFERENCE[one]}" for one in self._rules.references)
        sql.execute(
            _COLLECT.format(**_NAMED, shop=quoted(self._shop), order_of_line=by_reference, number=quoted(BY_NUMBER))
        )
        recalled = _sums(opened, scope, "recalled_entry", "recalled_line")
        sql.execute(
            "create or replace temp view judged_entry as "
            "select *, 'order/' || order_id as key from aside_entry union all by name select * from recalled_entry"
        )
        sql.execute(
            "create or replace temp view judged_line as "
            "select * from keyed_line union all by name select * from recalled_line"
        )
        sql.execute("create or replace temp table agreed (key varchar)")
        # Agreed fees are judged payment by payment: what is cleared by key has none to look at.
        if by_key and not self._rules.fees:
            clear_agreeing(opened, scope, ROWS_AT_ONCE)
        agreed = _sums(
            opened, scope, *(f"(from judged_{name} semi join agreed using (key))" for name in ("entry", "line"))
        )
        agreed_keys = _count(opened, "select count(*) from agreed")
        pieces = max(1, -(-(_count(opened, "select count(*) from concerned") - agreed_keys) // keys_per_piece))
        keys = "select count(distinct hash(order_id, currency)) from {}"
        return Collected(
            entries=_pieces(opened, "entry", ENTRY_SCHEMA, pieces),
            lines=_pieces(opened, "line", _OWNED_LINES, pieces),
            cleared_keys=agreed_keys
            + _count(opened, keys.format("entry"))
            - _count(opened, keys.format("concerned_entry")),
            recalled=recalled,
            agreed=agreed,
        )


def clear_agreeing(opened: Engine, scope: Scope, rows_at_once: int) -> None:
    """Put the judged keys that agree as a whole into `agreed`, looking at about so many rows at a time."""
    sql = opened.connection
    rows = sum(_count(opened, f"select count(*) from judged_{name}") for name in ("entry", "line"))  # noqa: S608 - our own names
    moments = {name: naive(getattr(scope, name)) for name in ("window_start", "cut")}
    moments["horizon"] = naive(scope.horizon_start)
    parts = max(1, -(-rows // rows_at_once))
    moved = opened.folder / "moved"
    sql.execute("set threads = 1")  # one file a part
    sql.execute(_MOVED.format(**_NAMED, parts=parts, folder=quoted(moved)))
    sql.execute("reset threads")
    for part in range(parts):
        if written := sorted(moved.glob(f"part={part}/*.parquet")):
            sql.execute(_AGREE.format(moved=parquet(written), most_facts=MAX_FACTS), moments)


def _sums(opened: Engine, scope: Scope, entries: str, lines: str) -> tuple[WindowSums, ...]:
    """Return the sums of some movements, by currency."""
    for name, source in (("entry", entries), ("line", lines)):
        opened.connection.execute(f"create or replace temp view summed_{name} as select *, 1 as weight from {source}")  # noqa: S608 - our own names
    return sums_of(opened, scope)


def _pieces(opened: Engine, name: str, schema: pa.Schema, pieces: int) -> tuple[Path, ...]:
    """Write the judged rows in pieces by key; return a file for each, empty ones included."""
    sql = opened.connection
    target = opened.folder / f"pieces-{name}"
    selected = f"select {', '.join(schema.names)}, hash(key) % {pieces} as piece from judged_{name} anti join agreed using (key)"  # noqa: S608 - our own columns
    sql.execute("set threads = 1")  # one file a piece
    sql.execute(f"copy ({selected}) to {quoted(target)} (format parquet, partition_by (piece))")
    sql.execute("reset threads")
    paths = []
    for piece in range(pieces):
        path = opened.folder / f"piece-{'entries' if name == 'entry' else 'lines'}-{piece:03d}.parquet"
        written = sorted(target.glob(f"piece={piece}/*.parquet"))
        if written:
            written[0].rename(path)
        else:
            pq.write_table(schema.empty_table(), path)
        paths.append(path)
    return tuple(paths)


def _nothing(opened: Engine, name: str) -> Path:
    path = opened.folder / f"no-{name}.parquet"
    pq.write_table((ENTRY_SCHEMA if name == "entry" else schema_of(LedgerLine)).empty_table(), path)
    return path


def _table(opened: Engine, name: str, columns: dict[str, list[str]]) -> None:
    table = pa.table({column: pa.array(values, pa.string()) for column, values in columns.items()})
    opened.connection.register("given", table)
    opened.connection.execute(f"create or replace temp table {name} as select * from given")  # noqa: S608 - our own names
    opened.connection.unregister("given")


def _texts(opened: Engine, sql: str) -> list[str]:
    return [row[0] for row in opened.connection.execute(sql).fetchall()]


def _count(opened: Engine, sql: str) -> int:
    return int(opened.connection.execute(sql).fetchall()[0][0])
