"""Books put into a lake and matched there, as a run does it, and as the rules alone would."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from worker.domain.finding import Finding, Outcome
from worker.domain.ledger import LedgerLine
from worker.domain.matching.payments import compare_payments, match_payments
from worker.domain.matching.rules import PLAIN, Rules
from worker.domain.matching.scope import Scope
from worker.domain.matching.sums import WindowSums, window_sums
from worker.domain.payment import BookEntry
from worker.lake.engine import EngineLimits
from worker.lake.files import LakeFiles
from worker.lake.gathering import Lake
from worker.services.ports.lake import TEXT_COLUMNS, EntryBlock, Gathered, Known, Loose

SHOP, PROVIDER = "main", "stripe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """What matching answered: every finding that is no plain match, how many keys agree, the sums.

    A payment that came and went outside our books is told of by the rules, and not by a run: a key is plain beside it.
    """

    findings: tuple[Finding, ...]
    agreeing: int
    sums: tuple[WindowSums, ...]
    pieces: int = 1
    judged: tuple[LedgerLine, ...] = ()
    """Lines that the engine left to the rules."""


def lake_in(folder: Path, *, rows_per_bucket: int = 250_000, keys_per_piece: int = 50_000) -> Lake:
    limits = EngineLimits(memory_mb=200, threads=2, spill=folder)
    return Lake(LakeFiles.in_folder(folder), limits, rows_per_bucket=rows_per_bucket, keys_per_piece=keys_per_piece)


def block_of(entries: Sequence[BookEntry]) -> EntryBlock:
    """Write entries as the database does."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    for entry in entries:
        cells = {name: getattr(entry, name) for name in TEXT_COLUMNS}
        cells["kind"] = str(entry.kind)
        cells["occurred_at"] = entry.occurred_at.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
        writer.writerow(cells.values())
    return EntryBlock(shop=SHOP, provider=PROVIDER, rows=len(entries), text=text.getvalue().encode())


def blocks_of(entries: Iterable[BookEntry], size: int = 5_000) -> Iterator[EntryBlock]:
    left = iter(entries)
    while some := list(islice(left, size)):
        yield block_of(some)


def matched_in_a_lake(
    lake: Lake,
    entries: Iterable[BookEntry],
    lines: Iterable[LedgerLine],
    owner_of: Callable[[str], str | None],
    scope: Scope,
    rules: Rules = PLAIN,
    suspects: Sequence[str] = (),
) -> Matched:
    with lake.gathering(SHOP, PROVIDER, "run-1") as gathering:
        gathering.lines(lines)
        gathering.entries(blocks_of(entries))
        gathered: Gathered = gathering.seal({})
    for bucket in reversed(range(gathered.buckets)):
        gathered.sift(bucket, scope, rules)

    def known(loose: Loose) -> Known:
        owners = {reference: owner for reference in loose.payments if (owner := owner_of(reference))}
        return Known(owners=owners, suspects=suspects)

    pieces = gathered.collect(known, scope, rules)
    cleared = gathered.cleared()
    findings: list[Finding] = []
    sums = list(cleared.sums)
    judged: list[LedgerLine] = []
    for number in range(pieces):
        piece = gathered.piece(number)
        found, summed = compare_payments(piece.entries, piece.lines, piece.order_of_payment, scope, rules)
        findings += found
        sums += summed
        judged += piece.lines
    return replace(
        _matched(findings, cleared.keys, sums, pieces), judged=tuple(sorted(judged, key=lambda line: line.line_id))
    )  # rows come in no order


def matched_by_the_rules(
    entries: Sequence[BookEntry],
    lines: Sequence[LedgerLine],
    owners: Mapping[str, str],
    scope: Scope,
    rules: Rules = PLAIN,
) -> Matched:
    return _matched(
        list(match_payments(entries, lines, owners, scope, rules)),
        0,
        list(window_sums(entries, lines, owners, scope, rules)),
        1,
    )


def _matched(findings: list[Finding], agreeing: int, sums: list[WindowSums], pieces: int) -> Matched:
    plain = [finding for finding in findings if _plain(finding)]
    rest = [finding for finding in findings if not _plain(finding)]
    totals: dict[str, WindowSums] = {}
    for one in sums:
        totals[one.currency] = totals[one.currency] + one if one.currency in totals else one
    return Matched(
        findings=tuple(sorted(rest, key=lambda finding: (finding.key, finding.currency))),
        agreeing=agreeing + len(plain),
        sums=tuple(totals[currency] for currency in sorted(totals)),
        pieces=pieces,
    )


def _plain(finding: Finding) -> bool:
    causes = finding.cause.split("; ") if finding.cause else []
    came_and_went = all(cause.endswith("was charged and given back whole outside our books") for cause in causes)
    return finding.outcome is Outcome.MATCHED and came_and_went and not (causes and finding.before_minor)
