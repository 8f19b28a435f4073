"""A statement file's bytes as records: encoding, delimiter and line numbers, before any meaning.

A file may have any size: it is gone through as often as needed, a piece at a time. Every record keeps the line it starts
on (counted from 1, header included), so that a rejected row can be found in the file. Nothing is dropped but blank
lines. Unreadable bytes raise InvalidStatement, nothing else.
"""

import codecs
import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from worker.domain.errors import InvalidStatement

DELIMITERS = (",", ";", "\t")
PREAMBLE = 20
"""Records in which the header is looked for: some exports put a title above it."""
LONGEST_LINE = 8 << 20
"""Bytes from which a file without the end of a line may be refused: a line is in memory as a whole."""
PIECE = 1 << 18
"""Bytes that are looked at a time."""
_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)

Opens: TypeAlias = Callable[[], io.BufferedReader | io.BytesIO]
"""Opens a file at its beginning, as often as it is asked to; its bytes stay the same."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record and the line it starts on."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A file that is text."""

    opens: Opens
    encoding: str
    begins: int
    """The byte at which it begins, behind its mark."""
    first: str
    """Its first character that is no space."""

    def open(self) -> io.TextIOWrapper:
        """Open it; the ends of its lines stay as they are."""
        file = self.opens()
        file.seek(self.begins)
        return io.TextIOWrapper(file, self.encoding, newline="")


@dataclass(frozen=True, slots=True)
class Records:
    """A text, cut into records each time that one goes through it. Going through raises InvalidStatement."""

    text: Text
    delimiter: str

    def __iter__(self) -> Iterator[Record]:
        """Yield the records."""
        return _records(self.text, self.delimiter)

    def head(self) -> list[Record]:
        """Return the first ones, among which a header would be."""
        return list(islice(self, PREAMBLE))


def read(content: bytes) -> Records:
    """Cut `content` into records. Raises InvalidStatement when it is empty, binary or not text."""
    return cut(decode(lambda: io.BytesIO(content)))


def decode(opens: Opens) -> Text:
    """Return a file as text. Raises InvalidStatement when it is empty, binary or not text."""
    with opens() as file:
        start = file.read(3)
    for bom, encoding in _BOMS:
        if start.startswith(bom):
            text = _text(opens, encoding, len(bom))
            if text is None:
                raise InvalidStatement(f"the file is marked as {encoding} but is not")
            return text
    encodings = ["utf-8", "cp1252"]
    if len(start) > 1 and 0 in start[:2] and start[:2] != b"\x00\x00":
        # UTF-16 without its mark: every other byte of the first letters is zero.
        encodings.insert(0, "utf-16-be" if start[0] == 0 else "utf-16-le")
    for encoding in encodings:
        text = _text(opens, encoding, 0)
        if text is not None:
            return text
    raise InvalidStatement("the file is neither UTF-8 nor Windows-1252 text")


def cut(text: Text) -> Records:
    """Cut a text into records. Raises InvalidStatement."""
    best = max(DELIMITERS, key=lambda delimiter: _width(Records(text, delimiter)))
    records = Records(text, best)
    if next(iter(records), None) is None:
        raise InvalidStatement("the file holds no record")
    return records


def _text(opens: Opens, encoding: str, begins: int) -> Text | None:
    """Look through a file; None where it is not written in this encoding. Raises InvalidStatement."""
    decoder = codecs.getincrementaldecoder(encoding)()
    first, zero, unended, held = "", False, 0, 0
    with opens() as file:
        file.seek(begins)
        while True:
            piece = file.read(PIECE)
            unended = 0 if b"\n" in piece or b"\r" in piece else unended + len(piece)
            try:
                if held == 0 and encoding == "utf-8" and piece.isascii():
                    some = piece.decode("ascii") if not first else ""
                    zero = zero or b"\x00" in piece
                else:
                    some = decoder.decode(piece, final=not piece)
                    held = len(decoder.getstate()[0])
                    zero = zero or "\x00" in some
            except UnicodeDecodeError:
                return None
            first = first or some.lstrip()[:1]
            if unended > LONGEST_LINE:
                raise InvalidStatement(
                    f"the file has no end of a line within {LONGEST_LINE >> 20} MB: it is no statement"
                )
            if not piece:
                break
    if not first:
        raise InvalidStatement("the file is empty")
    if zero:
        raise InvalidStatement("the file is binary, not delimited text")
    return Text(opens, encoding, begins, first)


def _width(records: Records) -> int:
    """Return the widest record near the top: the header, under the right delimiter."""
    return max((len(record.cells) for record in records.head()), default=0)


def _records(text: Text, delimiter: str) -> Iterator[Record]:
    line = 1
    with text.open() as file:
        reader = csv.reader(file, delimiter=delimiter)
        try:
            for cells in reader:
                if any(map(str.strip, cells)):
                    yield Record(line, tuple(cells))
                line = reader.line_num + 1
        except csv.Error as error:
            raise InvalidStatement(f"line {line} is not delimited text: {error}") from None
