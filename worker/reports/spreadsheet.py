"""A spreadsheet file (ECMA-376, SpreadsheetML): the few parts a book of plain tables needs, zipped as they are written.

Nothing of it depends on the clock, and no row waits: a sheet goes straight into the archive.
"""

import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from xml.sax.saxutils import escape, quoteattr

from worker.reports.worksheet import DECIMALS, head, letters

_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
LEVEL = 1
"""Of compression. The next ones up take two and three times as long for files smaller by a tenth and a fifth."""
_WRITTEN_AT_ONCE = 1 << 18


@dataclass(frozen=True, slots=True)
class _Sheet:
    name: str
    columns: int
    rows: int


class Spreadsheet:
    """A file that is being written; sheets one after the other, rows from the top."""

    def __init__(self, path: Path, *, title: str, subject: str, created: datetime) -> None:
        self._file = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL)
        self._about = (title, subject, created)
        self._sheets: list[_Sheet] = []

    def __enter__(self) -> Self:
        """Return the file itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file, or leave it unfinished after an error."""
        if error is None:
            self._end()
        self._file.close()

    @contextmanager
    def sheet(self, name: str, columns: Mapping[str, float], *, huge: bool = False) -> Iterator[Callable[[str], None]]:
        """Begin a sheet of columns of these widths; what is called with XML of a row writes it below the head.

        `huge`: it may become longer than 2 GiB.
        """
        rows = 1
        waiting: list[str] = []
        size = 0
        with self._file.open(f"xl/worksheets/sheet{len(self._sheets) + 1}.xml", "w", force_zip64=huge) as part:

            def add(row: str) -> None:
                nonlocal rows, size
                rows += 1
                size += len(row)
                waiting.append(row)
                if size > _WRITTEN_AT_ONCE:
                    part.write("".join(waiting).encode())
                    waiting.clear()
                    size = 0

            widths = "".join(
                f'<col min="{number}" max="{number}" width="{width}" customWidth="1"/>'
                for number, width in enumerate(columns.values(), 1)
            )
            selected = "" if self._sheets else ' tabSelected="1"'
            waiting.append(
                f'{_XML}<worksheet xmlns="{_MAIN}"><sheetPr><pageSetUpPr fitToPage="1"/></sheetPr>'
                f'<sheetViews><sheetView{selected} workbookViewId="0"><pane ySplit="1" topLeftCell="A2" '
                'activePane="bottomLeft" state="frozen"/><selection pane="bottomLeft"/></sheetView></sheetViews>'
                f"<cols>{widths}</cols><sheetData>{head(columns)}"
            )
            yield add
            done = _Sheet(name, len(columns), rows)
            waiting.append(
                f'</sheetData><autoFilter ref="{_area(done)}"/>'
                '<pageSetup fitToHeight="0" orientation="landscape"/></worksheet>'
            )
            part.write("".join(waiting).encode())
        self._sheets.append(done)

    def _end(self) -> None:
        properties = ("metadata/core-properties", f"{_PACKAGE}/relationships", "docProps/core.xml")
        for name, content in {
            "xl/workbook.xml": self._book(),
            "xl/_rels/workbook.xml.rels": self._ties(),
            "xl/styles.xml": _styles(),
            "docProps/core.xml": self._properties(),
            "_rels/.rels": _related([("officeDocument", _OFFICE, "xl/workbook.xml"), properties]),
            "[Content_Types].xml": self._types(),
        }.items():
            # Opened by its name, a part has the archive's compression and no time of its own.
            with self._file.open(name, "w") as part:
                part.write(f"{_XML}{content}".encode())

    def _book(self) -> str:
        sheets = "".join(
            f'<sheet name={quoteattr(one.name)} sheetId="{number}" r:id="rId{number}"/>'
            for number, one in enumerate(self._sheets, 1)
        )
        names = ""
        for number, one in enumerate(self._sheets):
            # What the filter covers, and the head that comes again on every printed page.
            for kind, hidden, area in (
                ("_FilterDatabase", ' hidden="1"', _area(one, "$")),
                ("Print_Titles", "", "$1:$1"),
            ):
                names += (
                    f'<definedName name="_xlnm.{kind}" localSheetId="{number}"{hidden}>'
                    f"{escape(_quoted(one.name))}!{area}</definedName>"
                )
        return (
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><bookViews><workbookView/></bookViews>'
            f"<sheets>{sheets}</sheets><definedNames>{names}</definedNames></workbook>"
        )

    def _ties(self) -> str:
        numbers = range(1, len(self._sheets) + 1)
        sheets = [("worksheet", _OFFICE, f"worksheets/sheet{number}.xml") for number in numbers]
        return _related([*sheets, ("styles", _OFFICE, "styles.xml")])

    def _properties(self) -> str:
        title, subject, created = self._about
        at = created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return (
            f'<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" '
            'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" '
            'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
            f"<dc:title>{escape(title)}</dc:title><dc:subject>{escape(subject)}</dc:subject>"
            f'<dcterms:created xsi:type="dcterms:W3CDTF">{at}</dcterms:created></cp:coreProperties>'
        )

    def _types(self) -> str:
        parts = {"xl/workbook.xml": "sheet.main", "xl/styles.xml": "styles"}
        parts |= {f"xl/worksheets/sheet{number}.xml": "worksheet" for number in range(1, len(self._sheets) + 1)}
        told = "".join(
            f'<Override PartName="/{name}" ContentType="{_TYPES}.{kind}+xml"/>' for name, kind in parts.items()
        )
        package = "application/vnd.openxmlformats-package"
        return (
            f'<Types xmlns="{_PACKAGE}/content-types">'
            f'<Default Extension="rels" ContentType="{package}.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/>'
            f'<Override PartName="/docProps/core.xml" ContentType="{package}.core-properties+xml"/>{told}</Types>'
        )


def _area(sheet: _Sheet, fixed: str = "") -> str:
    """Return the cells of a table; there is one row below the head at least."""
    last = letters(sheet.columns - 1)
    return f"{fixed}A{fixed}1:{fixed}{last}{fixed}{max(sheet.rows, 2)}"


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def _related(parts: list[tuple[str, str, str]]) -> str:
    ties = "".join(
        f'<Relationship Id="rId{number}" Type="{family}/{kind}" Target="{target}"/>'
        for number, (kind, family, target) in enumerate(parts, 1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{ties}</Relationships>'


def _styles() -> str:
    """Return the looks of cells, in the order of their numbers."""
    formats = ["#,##0", "yyyy-mm-dd hh:mm:ss"]
    for digits in DECIMALS:
        shown = "#,##0" + (f".{'0' * digits}" if digits else "")
        formats.append(f"{shown};[Red]-{shown}")
    first = 164  # what is below is the application's own
    told = "".join(
        f'<numFmt numFmtId="{number}" formatCode={quoteattr(code)}/>' for number, code in enumerate(formats, first)
    )
    plain = '<xf numFmtId="{}" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"{}/>'
    looks = [
        '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>',
        '<xf numFmtId="0" fontId="1" fillId="0" borderId="1" xfId="0" applyFont="1" applyBorder="1"/>',
        plain.format(first, ""),
        f'{plain.format(first + 1, " applyAlignment=" + quoteattr("1"))[:-2]}><alignment horizontal="left"/></xf>',
        '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0" quotePrefix="1"/>',
        *(plain.format(first + 2 + number, "") for number in range(len(DECIMALS))),
    ]
    font = '<sz val="11"/><name val="Calibri"/><family val="2"/>'
    sides = "<left/><right/><top/>"
    return (
        f'<styleSheet xmlns="{_MAIN}"><numFmts count="{len(formats)}">{told}</numFmts>'
        f'<fonts count="2"><font>{font}</font><font><b/>{font}</font></fonts>'
        '<fills count="2"><fill><patternFill patternType="none"/></fill>'
        '<fill><patternFill patternType="gray125"/></fill></fills>'
        f'<borders count="2"><border>{sides}<bottom/><diagonal/></border>'
        f'<border>{sides}<bottom style="thin"><color auto="1"/></bottom><diagonal/></border></borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        f'<cellXfs count="{len(looks)}">{"".join(looks)}</cellXfs>'
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    )
