"""What a batch of lines is known by, counted while its lines go to their files: nothing of them is read again for it."""

from collections import Counter
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from worker.domain.ledger import LineKind
from worker.lake.columns import aware
from worker.lake.repeats import Repeats

COUNTED = "line_id"
"""The column whose values should stand once."""
_EXACT = pa.decimal128(38, 0)
"""Sums of whole numbers of 64 bits, of which none is too large for it."""


class Tally:
    """Counts lines."""

    def __init__(self, repeats: Repeats) -> None:
        """`repeats` is one that has taken nothing yet."""
        self.repeats = repeats
        self.rows = 0
        self.first_at: datetime | None = None
        self.last_at: datetime | None = None
        self.shops: Counter[str] = Counter()
        """Lines of each shop."""
        self.nets: Counter[tuple[str, str, bool]] = Counter()
        """What lines make in minor units: of a payout, in a currency, and whether they are the payout itself."""
        self.sums: dict[str, Counter[str]] = {}
        """What they make by kind and currency."""

    def add(self, lines: pa.RecordBatch, hashes: pa.UInt64Array) -> None:
        """Count lines, columns as `coded_schema` has them, in any order; `hashes` are of what COUNTED says, in any order."""
        if not lines.num_rows:
            return
        self.rows += lines.num_rows
        self.repeats.add(hashes)
        created = pc.min_max(lines.column("created_at")).as_py()
        first, last = aware(created["min"]), aware(created["max"])
        self.first_at = min(first, self.first_at or first)
        self.last_at = max(last, self.last_at or last)
        shops = lines.column("shop")
        for count in pc.value_counts(shops.indices).to_pylist():
            self.shops[shops.dictionary[count["values"]].as_py()] += count["counts"]
        self._sum(lines)

    def _sum(self, lines: pa.RecordBatch) -> None:
        payouts, currencies, kinds = (lines.column(name) for name in ("payout_id", "currency", "kind"))
        # One number says all three, which is what the sums are grouped by.
        number = payouts.indices.cast(pa.int64())
        for column in (currencies, kinds):
            number = pc.add(pc.multiply(number, len(column.dictionary)), column.indices)
        nets = pc.cast(lines.column("net_minor"), _EXACT)
        sums = pa.table({"of": number, "net": nets}).group_by("of", use_threads=False).aggregate([("net", "sum")])
        for of, net in zip(*(sums.column(name).to_pylist() for name in ("of", "net_sum")), strict=True):
            left, kind = divmod(of, len(kinds.dictionary))
            payout, currency = divmod(left, len(currencies.dictionary))
            kind_is, currency_is = kinds.dictionary[kind].as_py(), currencies.dictionary[currency].as_py()
            self.nets[payouts.dictionary[payout].as_py(), currency_is, kind_is == LineKind.PAYOUT] += int(net)
            self.sums.setdefault(kind_is, Counter())[currency_is] += int(net)
