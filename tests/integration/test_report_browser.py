"""The report in a real browser: it renders, logs no error, asks for nothing, and opens the break a link names.

Chromium is not part of the project; without one these tests are skipped.
"""

import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from tests.unit.reports_sample import BREAKS, EARLIER, FINDINGS, HISTORY, RESOLVED, RUN, STATEMENTS
from worker.reports import html
from worker.reports.model import build

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome", "chrome") if (found := shutil.which(name))),
    None,
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture
def page(tmp_path: Path) -> Path:
    report = build(
        RUN,
        statements=STATEMENTS,
        findings=FINDINGS,
        breaks=BREAKS,
        resolved=RESOLVED,
        earlier=EARLIER,
        history=HISTORY,
    )
    path = tmp_path / "report.html"
    path.write_bytes(html.render(report, {"breaks.csv": "0" * 64}))
    return path


def chromium(profile: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    return subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--enable-logging=stderr",
            f"--user-data-dir={profile}",
            *arguments,
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=90,
    )


def colours(png: bytes) -> set[bytes]:
    """Return the distinct pixel values of a non-interlaced 8-bit PNG's rows, filters left applied: enough to tell blank from drawn."""
    data, at = b"", 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += length + 12
    raw = zlib.decompress(data)
    return {raw[index : index + 3] for index in range(1, len(raw) - 3, 97)}


def test_it_renders_without_an_error_or_a_request(page: Path, tmp_path: Path) -> None:
    """What the page might ask for, its own policy refuses, and the console says so: no line means no request."""
    shot = tmp_path / "report.png"
    ran = chromium(
        tmp_path / "profile",
        "--window-size=1200,1600",
        f"--screenshot={shot}",
        page.as_uri(),
    )
    assert not re.search(r"CONSOLE|Refused to|Content Security Policy", ran.stderr)
    assert len(colours(shot.read_bytes())) > 50, "the picture is not blank"


def test_the_policy_is_obeyed_by_the_browser_itself(page: Path, tmp_path: Path) -> None:
    """The counter-proof: what the page's policy forbids does not run, and the log we read would have said so."""
    page.write_text(page.read_text().replace("</main>", "<script>document.title='ran'</script></main>"))
    ran = chromium(tmp_path / "profile", "--dump-dom", page.as_uri())
    assert "<title>ran</title>" not in ran.stdout
    assert re.search(r"CONSOLE.*Content Security Policy", ran.stderr)


def test_a_link_to_a_break_opens_it(page: Path, tmp_path: Path) -> None:
    name = BREAKS[2].break_id
    ran = chromium(tmp_path / "profile", "--dump-dom", f"{page.as_uri()}#b-{name}")
    opened = re.findall(r'<details[^>]*data-break="([0-9a-f]{16})"[^>]*\bopen\b', ran.stdout)
    assert opened == [name]
