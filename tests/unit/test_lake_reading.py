"""Reading from an API in parts: whatever breaks off, however often, every line is kept once, and none is read in vain."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.lake_books import lake_in
from worker.domain.errors import SourceUnreadable
from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.matching.payouts import PayoutStatus, PayoutSums
from worker.lake import reading
from worker.lake.files import LakeFiles
from worker.lake.reading import read_in_parts

AT = datetime(2026, 11, 20, tzinfo=UTC)
PART = 4


def lines(number: int) -> list[LedgerLine]:
    return [
        LedgerLine(
            line_id=f"txn_{place}",
            provider="stripe",
            kind=LineKind.CHARGE,
            currency="EUR",
            gross_minor=place,
            fee_minor=0,
            net_minor=place,
            created_at=AT,
        )
        for place in range(number)
    ]


class Api:
    """Tells lines in their order and breaks off after some of them."""

    def __init__(self, told: list[LedgerLine], breaks: list[int]) -> None:
        self.told, self.breaks, self.read = told, breaks, 0

    def __call__(self, after: str) -> Iterator[LedgerLine]:
        place = 1 + next((n for n, line in enumerate(self.told) if line.line_id == after), -1)
        most = self.breaks.pop(0) if self.breaks else None
        for number, line in enumerate(self.told[place:]):
            if number == most:
                raise SourceUnreadable("gone")
            self.read += 1
            yield line


@given(number=st.integers(0, 14), breaks=st.lists(st.integers(0, 9), max_size=5))
def test_whatever_breaks_off_every_line_is_kept_once(number: int, breaks: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as made:
        patch.setattr(reading, "BATCH", PART)
        files, api = LakeFiles.in_folder(Path(made) / "lake"), Api(lines(number), list(breaks))
        broken = 0
        while True:
            folder = Path(made) / f"attempt-{broken}"
            folder.mkdir()
            try:
                parts = read_in_parts(files, "reading/r", folder, api)
            except SourceUnreadable:
                broken += 1
            else:
                break
        kept = [name for part in parts for name in pq.read_table(part).column("line_id").to_pylist()]
        assert kept == [line.line_id for line in api.told]
        assert api.read < number + PART * (broken + 1), "no more is read again than a part that was not full"
        api.read = 0
        assert read_in_parts(files, "reading/r", folder, api) == parts
        assert api.read == 0, "what was read to its end is not asked for again"


def test_what_was_told_is_compared_as_what_was_given(tmp_path: Path) -> None:
    lake = lake_in(tmp_path)
    with lake.gathering("main", "stripe", "run-1") as gathering:
        gathering.told(lambda after: lines(0 if after else 9))
        gathering.entries([])
        assert gathering.seal({}).rows == 9


def test_payouts_are_kept_with_their_counts_and_read_instead_of_being_guessed_from_lines(tmp_path: Path) -> None:
    payout = PayoutSums(
        payout_id="po_1",
        currency="EUR",
        amount_minor=100,
        status=PayoutStatus.FAILED,
        arrives_at=AT,
        lines_minor=100,
        counts={LineKind.CHARGE: 2, LineKind.REFUND: 1},
        references=("TRACE1",),
    )
    with lake_in(tmp_path).gathering("main", "stripe", "run-1") as gathering:
        gathering.lines(())
        gathering.entries([])
        gathering.records(PayoutSums, [payout])
        assert gathering.seal({}).payouts() == (payout,)


def test_what_lasts_is_asked_for_once_over_all_runs(tmp_path: Path) -> None:
    asked: list[str] = []

    def ask() -> dict[str, int]:
        asked.append("once")
        return {"lines_minor": len(asked)}

    for run in ("run-1", "run-2"):
        with lake_in(tmp_path).gathering("main", "stripe", run) as gathering:
            assert gathering.lasting("payout/po_1", ask) == {"lines_minor": 1}
    assert asked == ["once"]
