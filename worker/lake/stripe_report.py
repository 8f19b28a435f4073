"""Stripe's itemised reports in bulk: block after block of rows becomes columns; rows that are not plain go to the parser.

What is plain is said in stripe_plain.py. A file whose table is not plain, such as one with rows over several lines, is
for the parser as a whole.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.csv as pc

from worker.domain.ledger import TOTAL_WORDS
from worker.lake.stripe_plain import CREATED, REPEATING, TEXTS, plain_lines

NEEDED = ("balance_transaction_id", "currency", "gross", "fee", "net", "reporting_category")
_HEAD = 65_536
_BLOCK = 2 << 20
"""Bytes that are read at a time."""
_LONGEST = 1 << 18
"""Bytes of a row; a file with a longer one is the parser's."""
_PIECE = 1 << 16
"""Bytes that are looked through at a time: they stay close to the processor."""
_END = ord("\n")
_SAMPLES, _SAMPLE = 16, 1 << 16
"""How much of how many places is looked at for how long rows are."""
_BOM = b"\xef\xbb\xbf"
_QUOTED = re.compile(rb'(?:^|(?<=,))"[^"\n]*(?:""[^"\n]*)*"(?=,|\r?$)', re.MULTILINE)
_KINDS = dict.fromkeys(TEXTS, pa.string()) | dict.fromkeys(REPEATING, pa.dictionary(pa.int32(), pa.string()))


class Digest(Protocol):
    """A hash of `hashlib`."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take bytes in."""
        ...


class NotPlain(Exception):
    """The whole file is for the parser of rows."""


@dataclass(frozen=True, slots=True)
class Block:
    """Whole rows, and the line of the file in which the first one stands."""

    text: pa.Buffer
    line: int
    rows: int
    """How many they are if each stands in one line."""
    ascii: bool
    quoted: bool
    """Whether there is a quote in them."""


@dataclass(frozen=True, slots=True)
class ReadBlock:
    """What became of the rows of a block."""

    lines: pa.RecordBatch
    """Of the plain rows, columns as stripe_plain.SCHEMA has them."""
    odd: Sequence[tuple[int, tuple[str, ...]]]
    """The line and the cells of each of the other rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkReport:
    """A report that can be read in bulk, as far as its beginning tells."""

    path: Path
    shop: str
    header: tuple[str, ...]
    begins: int
    """The byte at which its rows begin."""

    def about(self) -> int:
        """Return about how many rows there are: what a look into some places suggests."""
        size = self.path.stat().st_size - self.begins
        ends = read = 0
        with self.path.open("rb") as file:
            for number in range(_SAMPLES):
                file.seek(self.begins + number * size // _SAMPLES)
                some = file.read(_SAMPLE)
                ends, read = ends + some.count(b"\n"), read + len(some)
        return -(-ends * size // max(1, read))

    def blocks(self, digest: Digest) -> Iterator[Block]:
        """Yield its rows in blocks; every byte of the file goes through the digest. Raises NotPlain."""
        line, rest = 2, b""
        with self.path.open("rb") as file:
            digest.update(file.read(self.begins))
            while True:
                text = pa.allocate_buffer(len(rest) + _BLOCK + 1)
                view = memoryview(text).cast("B")
                view[: len(rest)] = rest
                filled = len(rest) + file.readinto(view[len(rest) : -1])
                digest.update(view[len(rest) : filled])
                if filled == len(rest):
                    if not filled:
                        return
                    view[filled], filled = _END, filled + 1  # the last line needs no end
                begins = max(0, filled - _LONGEST)
                end = begins + bytes(view[begins:filled]).rfind(b"\n") + 1
                if end == begins > 0:
                    raise NotPlain  # a line of such a length
                rest = bytes(view[end:filled])
                if end:
                    block = _block(text.slice(0, end), line)
                    yield block
                    line += block.rows

    def read(self, block: Block) -> ReadBlock:
        """Read a block. Raises NotPlain."""
        text = block.text
        _must_be_text(block)
        known = [name for name in self.header if name in _KINDS]
        try:
            table = pc.read_csv(
                text,
                pc.ReadOptions(use_threads=False, block_size=text.size + 1, column_names=list(self.header)),
                pc.ParseOptions(quote_char='"' if block.quoted else False),
                pc.ConvertOptions(
                    include_columns=known,
                    column_types={name: _KINDS[name] for name in known},
                    check_utf8=False,  # the block is, and is parted only where a character ends
                ),
            )
        except pa.ArrowInvalid:
            raise NotPlain from None
        if table.num_rows != block.rows:
            # A reader that took two rows for one, or none for many, would lose money silently.
            raise NotPlain
        (cells,) = table.to_batches()  # read at once, so in one piece
        lines, plain = plain_lines(cells, self.shop)
        return ReadBlock(lines, [] if plain is None else self._odd(block, plain))

    def _odd(self, block: Block, plain: pa.BooleanArray) -> list[tuple[int, tuple[str, ...]]]:
        rows = block.text.to_pybytes().split(b"\n")
        found = []
        for number, is_plain in enumerate(plain.to_pylist()):
            if not is_plain:
                (cells,) = csv.reader([rows[number].decode()])
                if _first(cells) in TOTAL_WORDS:
                    raise NotPlain
                found.append((block.line + number, tuple(cells)))
        return found


def read_report(path: Path, shop: str) -> BulkReport | None:
    """Look at a report; None where the whole file is for the parser.

    `shop` is ours: an order id counts only where the row names it, or no shop.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    first, end, _ = head.removeprefix(_BOM).partition(b"\n")
    try:
        cells = next(csv.reader(io.StringIO(first.decode("utf-8"))))
    except (StopIteration, UnicodeDecodeError, csv.Error):
        return None
    names = tuple(" ".join(cell.split()).lower() for cell in cells)
    known = set(names)
    if not known.issuperset(NEEDED) or known.isdisjoint(CREATED[:2]) or len(names) != len(known):
        return None
    if not end or b"\0" in head:
        return None
    begins = len(first) + 1 + (len(_BOM) if head.startswith(_BOM) else 0)
    return BulkReport(path=path, shop=shop, header=names, begins=begins)


def _block(text: pa.Buffer, line: int) -> Block:
    rows, is_ascii, quoted = 0, True, False
    for begins in range(0, text.size, _PIECE):
        piece = text[begins : begins + _PIECE].to_pybytes()
        # A fifth of what counting takes, which looks at every byte by itself.
        rows += len(piece) - len(piece.replace(b"\n", b""))
        is_ascii = is_ascii and piece.isascii()
        quoted = quoted or b'"' in piece
    return Block(text, line, rows, is_ascii, quoted)


def _must_be_text(block: Block) -> None:
    """Raise NotPlain for what is no UTF-8, and for quotes that do not enclose cells within a line."""
    if not block.ascii:
        try:
            str(block.text, "utf-8")
        except UnicodeDecodeError:
            raise NotPlain from None
    if block.quoted and b'"' in _QUOTED.sub(b"", block.text.to_pybytes()):
        raise NotPlain


def _first(row: Sequence[str]) -> str:
    return next((cell.strip() for cell in row if cell.strip()), "").rstrip(":").casefold()
