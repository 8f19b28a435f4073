"""Clearing in bulk what trivially agrees, so that the rules only see what does not.

The SQL knows no class of difference and gives no reason: it only says "these two are one movement". Whatever it does
not clear is judged by worker/domain/matching, which alone decides; clearing less than possible is never wrong.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from worker.domain.ledger import LineKind
from worker.domain.matching.rules import Reference, Rules
from worker.domain.matching.scope import Scope
from worker.domain.matching.sums import WindowSums
from worker.lake.columns import naive
from worker.lake.engine import Engine, parquet, quoted
from worker.lake.fees import agreed_fee
from worker.lake.naming import ENTRY_KEY, LINE_CLASS, LINE_KEY, MONEY, in_kinds

_FOLDER = Path(__file__).parent
_SIFT = (
    (_FOLDER / "sift.sql")
    .read_text("utf-8")
    .replace("{entry_key}", ENTRY_KEY)
    .replace("{line_key}", LINE_KEY)
    .replace("{line_class}", LINE_CLASS)
)
_SUMS = (_FOLDER / "sums.sql").read_text("utf-8")


def sift(
    opened: Engine,
    entries: Sequence[Path],
    lines: Sequence[Path],
    repeated: Sequence[str],
    scope: Scope,
    rules: Rules,
    shop: str,
    *,
    by_key: bool,
) -> tuple[Path, Path, tuple[WindowSums, ...]]:
    """Sift one bucket; return the files of what is aside (entries, lines) and the sums of what is clear.

    `by_key`: what agrees without being a pair is cleared as well.
    """
    sql = opened.connection
    sql.execute("create or replace temp table repeated as select unnest($ids::varchar[]) as line_id", {"ids": repeated})
    # Asked of every line, so not where nothing stands twice: as nearly always.
    twice = "line_id in (select line_id from repeated)" if repeated else "false"
    made = (opened.folder / "aside-entries.parquet", opened.folder / "aside-lines.parquet")
    sifting = _SIFT.format(
        entries=parquet(entries),
        lines=parquet(lines),
        # The second column only where it tells anything: the engine looks for one alone as it reads.
        place="file_row_number" if len(entries) == len(lines) == 1 else "file_index, file_row_number",
        shop=quoted(shop),
        plain=_plain(rules, twice, reversals=by_key and not rules.fees),
        repeated=twice,
        aside_entries=quoted(made[0]),
        aside_lines=quoted(made[1]),
    )
    times = _times(scope)
    for statement in sql.extract_statements(sifting):
        sql.execute(statement, {name: times[name] for name in statement.named_parameters})
    # What agrees is all there is less what is aside: no join is needed.
    agreeing = (
        f"(select *, 1 as weight from {parquet(all_of_them)} "  # noqa: S608
        f"union all by name select *, -1 as weight from {parquet([aside])})"
        for all_of_them, aside in zip((entries, lines), made, strict=True)
    )
    return *made, sums_of(opened, scope, *agreeing)


def sums_of(
    opened: Engine, scope: Scope, entries: str = "summed_entry", lines: str = "summed_line"
) -> tuple[WindowSums, ...]:
    """Return the sums of two tables of the engine, by currency. A movement of weight -1 takes one of weight 1 out again."""
    found = opened.connection.execute(_SUMS.format(money=MONEY, entries=entries, lines=lines), _times(scope))
    names = [column[0] for column in found.description]
    return tuple(WindowSums(**dict(zip(names, row, strict=True))) for row in found.fetchall())


def view(opened: Engine, name: str, paths: Sequence[Path]) -> None:
    """Make a view of Parquet files, by which statements call them."""
    opened.connection.execute(
        f"create or replace temp view {name} as select * from {parquet(paths)}"  # noqa: S608
    )


def _times(scope: Scope) -> dict[str, datetime]:
    return {"window_start": naive(scope.window_start), "horizon": naive(scope.horizon_start), "cut": naive(scope.cut)}


def _plain(rules: Rules, repeated: str, *, reversals: bool) -> str:
    """Return the condition that a line may be cleared at all; `repeated` is the one that it stands more than once."""
    kinds = frozenset(
        {LineKind.CHARGE, LineKind.REFUND} | ({LineKind.PARTIAL_CAPTURE_REVERSAL} if reversals else set())
    )
    conditions = [
        in_kinds(kinds),
        f"not {repeated}",
        # Converted money is compared in another currency than it is settled in.
        "(customer_currency in ('', currency) or customer_minor = 0)",
    ]
    if rules.references[0] is not Reference.PAYMENT:
        # The order that the line names comes first then; one that names none falls back to the payment.
        conditions.append("order_id = ''")
    if rules.fees:
        conditions.append(agreed_fee(rules))
    return " and ".join(conditions)
