"""A statement file's bytes as records: encoding, delimiter and line numbers, before any meaning.

Every record keeps the line it starts on (counted from 1, header included), so that a rejected row can be
found in the file. Nothing is dropped but blank lines. Unreadable bytes raise InvalidStatement, nothing else.
"""

import contextlib
import csv
import io
from dataclasses import dataclass

from worker.domain.errors import InvalidStatement

DELIMITERS = (",", ";", "\t")
PREAMBLE = 20
"""Records in which the header is looked for: some exports put a title above it."""
_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)


@dataclass(frozen=True, slots=True)
class Record:
    """One record and the line it starts on."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Records:
    """A file, cut into records."""

    encoding: str
    delimiter: str
    records: tuple[Record, ...]


def read(content: bytes) -> Records:
    """Cut `content` into records. Raises InvalidStatement when it is empty, binary or not text."""
    return cut(*decode(content))


def decode(content: bytes) -> tuple[str, str]:
    """Return the text and the name of its encoding. Raises InvalidStatement when it is empty, binary or not text."""
    text, encoding = _decode(content)
    if not text.strip():
        raise InvalidStatement("the file is empty")
    if "\x00" in text:
        raise InvalidStatement("the file is binary, not delimited text")
    return text, encoding


def cut(text: str, encoding: str) -> Records:
    """Cut a text into records. Raises InvalidStatement."""
    best = max(DELIMITERS, key=lambda delimiter: _width(text, delimiter))
    records = _records(text, best, limit=None)
    if not records:
        raise InvalidStatement("the file holds no record")
    return Records(encoding, best, tuple(records))


def _decode(content: bytes) -> tuple[str, str]:
    for bom, encoding in _BOMS:
        if content.startswith(bom):
            try:
                return content[len(bom) :].decode(encoding), encoding
            except UnicodeDecodeError:
                raise InvalidStatement(f"the file is marked as {encoding} but is not") from None
    if len(content) > 1 and 0 in content[:2] and content[:2] != b"\x00\x00":
        # UTF-16 without its mark: every other byte of the first letters is zero.
        unmarked = "utf-16-be" if content[0] == 0 else "utf-16-le"
        with contextlib.suppress(UnicodeDecodeError):
            return content.decode(unmarked), unmarked
    for encoding in ("utf-8", "cp1252"):
        try:
            return content.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    raise InvalidStatement("the file is neither UTF-8 nor Windows-1252 text")


def _width(text: str, delimiter: str) -> int:
    """Return the widest record near the top: the header, under the right delimiter."""
    return max((len(record.cells) for record in _records(text, delimiter, limit=PREAMBLE)), default=0)


def _records(text: str, delimiter: str, *, limit: int | None) -> list[Record]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    found: list[Record] = []
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found.append(Record(line, tuple(cells)))
            line = reader.line_num + 1
            if len(found) == limit:
                break
    except csv.Error as error:
        raise InvalidStatement(f"line {line} is not delimited text: {error}") from None
    return found
