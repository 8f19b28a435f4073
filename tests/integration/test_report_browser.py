"""The reports in a real browser: what they say, how they look, that they ask for nothing, and that everybody can use them.

Chromium is not part of the project; without one these tests are skipped.
"""

import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.chromium import PROGRAM, Tab, browser
from tests.unit.reports_reading import ruled
from tests.unit.reports_sample import BREAKS, EARLIER, END, FINDINGS, HISTORY, RESOLVED, RUN, STATEMENTS
from worker.gateways.folder_store import FolderStore
from worker.reports import html
from worker.reports.writer import ReportFiles

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine")

AUDIT = (Path(__file__).parent.parent / "accessibility.js").read_text()
VIEWS = {"light": (1200, False), "dark": (1200, True), "phone": (390, False), "dark phone": (390, True)}


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a site: a report of everything, a paged one, and the pages over all runs."""
    root = tmp_path_factory.mktemp("site")
    files = ReportFiles(FolderStore(root))
    parts = {
        "statements": STATEMENTS,
        "findings": FINDINGS,
        "breaks": BREAKS,
        "resolved": RESOLVED,
        "earlier": EARLIER,
        "history": HISTORY,
    }
    path = files.write(RUN, **parts)  # type: ignore[arg-type]  # parts of one report, by their names
    paged = replace(RUN, run_id="paged")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(html, "FIRST_BYTES", 1)
        patch.setattr(html, "PAGE_BYTES", 5_000)
        files.write(paged, **parts)  # type: ignore[arg-type]
    runs = [replace(RUN, report=path), *(replace(run, report=path) for run in EARLIER)]
    runs += [
        replace(
            RUN,
            run_id=f"x{day}",
            provider="adyen" if day % 5 == 0 else "stripe",
            window_end=END - timedelta(days=day),
            window_start=END - timedelta(days=day, hours=1),
            finished_at=END - timedelta(days=day),
            verdict=verdict,
            counts={"matched": 4, "breaks_open": day % 3, "at_risk_minor_EUR": day * 100},
        )
        for day, verdict in enumerate(("reconciled", "pending", "warnings", "incomplete", "breaks") * 12, 1)
    ]
    files.write_index(runs)
    (root / "ruled.html").write_bytes(html.render(ruled(), {"items.csv": "0" * 64}))
    return root


def report(site: Path, run: str = "r-20261122-14") -> str:
    return (site / "reports" / "main" / "stripe" / run / "report.html").as_uri()


def page(site: Path, name: str) -> str:
    return {
        "report": report(site),
        "paged": report(site, "paged"),
        "breaks": report(site, "paged").replace("report.html", "breaks-002.html"),
        "ruled": (site / "ruled.html").as_uri(),
        "index": (site / "reports" / "index.html").as_uri(),
        "month": (site / "reports" / "months" / "2026-11.html").as_uri(),
    }[name]


SEEN = [(name, view) for name in ("report", "index") for view in VIEWS]
SEEN += [(name, view) for name in ("paged", "breaks", "ruled", "month") for view in ("dark", "phone")]


@pytest.mark.parametrize(("name", "view"), SEEN)
def test_everybody_can_use_it_and_it_asks_for_nothing(tab: Tab, site: Path, name: str, view: str) -> None:
    width, dark = VIEWS[view]
    address = page(site, name)
    tab.go(address, width=width, dark=dark)
    assert tab.say("innerWidth") == width
    assert tab.say("matchMedia('(prefers-color-scheme: dark)').matches") is dark
    tab.say("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert tab.say(AUDIT) == []
    assert tab.complaints == []
    assert tab.requests == [address]


def test_the_audit_would_have_found_it(tab: Tab, site: Path) -> None:
    """The counter-proof: each rule complains of a page that breaks it."""
    tab.go(page(site, "report"), width=390)
    tab.say("""(() => {
        const main = document.querySelector('main');
        main.insertAdjacentHTML('beforeend', `<h6>deep</h6><table><tr><th>a</th><td>b</td></tr></table>
            <a href="#nowhere"></a><svg></svg><p id="main" class="cur">grey</p><ul><p>no item</p></ul>
            <b class="wide">${'wide'.repeat(200)}</b>`);
        const style = new CSSStyleSheet();
        style.replaceSync('p.cur { color: #999; background: #aaa }');
        document.adoptedStyleSheets = [style];
    })()""")
    rules = {complaint.split(":")[0] for complaint in tab.say(AUDIT)}
    assert rules == {"headings", "tables", "links", "names", "ids", "contrast", "lists", "width"}


@pytest.mark.parametrize("name", ["report", "index"])
def test_it_is_drawn_in_either_light(tab: Tab, site: Path, name: str) -> None:
    drawn = {}
    for view, (width, dark) in VIEWS.items():
        tab.go(page(site, name), width=width, dark=dark)
        drawn[view] = colours(tab.picture(whole=False))
    assert all(len(found) > 50 for found in drawn.values()), "no picture is blank"
    assert drawn["light"] != drawn["dark"]


def test_what_the_page_shows_is_what_the_json_says(tab: Tab, site: Path) -> None:
    told = json.loads((site / "reports/main/stripe/r-20261122-14/report.json").read_bytes())
    tab.go(report(site))
    shown = tab.say("""[...document.querySelectorAll('[data-card]')].map(card => [
        card.dataset.card,
        card.querySelector('.figure').innerText,
        [...card.querySelectorAll('.sum')].map(sum => [...sum.children].map(part => part.innerText)),
    ])""")
    assert [(code, int(figure.replace(",", "")), sums) for code, figure, sums in shown] == [
        (code, total["count"], [[money["currency"], written(money)] for money in total["amounts"]])
        for code, total in told["totals"].items()
    ]
    unexplained = tab.say("[...document.querySelectorAll('[data-bridge] > .lead .ties')].map(one => one.innerText)")
    assert unexplained == [f"✓ {one['currency']} 0.00 unexplained" for one in told["statements"]]
    listed = tab.say("[...document.querySelectorAll('[data-break]')].map(one => one.dataset.break)")
    assert listed == [one["break_id"] for one in told["breaks"]]


def written(money: dict[str, int | str]) -> str:
    minor = int(money["minor"])
    return f"{minor:,}" if money["currency"] == "JPY" else f"{minor / 100:,.2f}"


def test_a_link_to_a_break_opens_it(tab: Tab, site: Path) -> None:
    name = BREAKS[2].break_id
    tab.go(f"{report(site)}#b-{name}")
    opened = tab.say("[...document.querySelectorAll('details[open]')].map(one => one.dataset.break)")
    assert opened == [name]


def test_a_link_to_a_break_leads_to_the_page_it_stands_on(tab: Tab, site: Path) -> None:
    """One address for a break, whatever page it is on; the numbered links need no script."""
    name = json.loads((site / "reports/main/stripe/paged/report.json").read_bytes())["breaks"][-1]["break_id"]
    tab.go(report(site, "paged"))
    tab.follow(f"location.hash = 'b-{name}'")
    assert re.search(rf"/breaks-\d+\.html#b-{name}$", tab.say("location.href"))
    assert tab.say("document.querySelector('details[open]').dataset.break") == name
    assert tab.say("document.querySelector('[aria-current=page]').textContent") == "5\N{EN DASH}5"
    assert tab.complaints == []


def test_the_policy_is_obeyed_by_the_browser_itself(tab: Tab, site: Path, tmp_path: Path) -> None:
    """The counter-proof: neither a script nor a style that the page's policy does not name has an effect."""
    harmed = tmp_path / "harmed.html"
    smuggled = "<script>document.title='ran'</script><style>main{display:none}</style><img src=x></main>"
    for name in ("report", "paged"):
        source = Path(page(site, name).removeprefix("file://"))
        harmed.write_text(source.read_text().replace("</main>", smuggled))
        tab.go(harmed.as_uri())
        assert tab.say("document.title") != "ran"
        assert tab.say("getComputedStyle(document.querySelector('main')).display") == "block"
        assert len([one for one in tab.complaints if "Content Security Policy" in one]) == 3


def test_the_keyboard_reaches_the_content_first_and_opens_a_break(tab: Tab, site: Path) -> None:
    tab.go(report(site))
    tab.press("Tab")
    assert tab.say("document.activeElement.textContent") == "Skip to the content"
    assert tab.say("document.activeElement.getBoundingClientRect().left") >= 0, "it is in sight while it has the focus"
    tab.say("document.querySelector('#breaks summary').focus()")
    assert tab.say("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_filters_hide_and_show_runs_without_a_script(tab: Tab, site: Path) -> None:
    tab.go(page(site, "index"))
    visible = "[...document.querySelectorAll('tr[data-run]')].filter(row => row.checkVisibility())"
    everything = tab.say(f"{visible}.length")
    tab.say("document.getElementById('verdict-breaks').click()")
    assert tab.say(f"[...new Set({visible}.map(row => row.dataset.verdict))]") == ["breaks"]
    tab.say("document.getElementById('book-1').click()")
    assert tab.say(f"[...new Set({visible}.map(row => row.dataset.book))]") == ["1"]
    assert 0 < tab.say(f"{visible}.length") < everything
    tab.say("document.getElementById('verdict-all').click(); document.getElementById('book-all').click()")
    assert tab.say(f"{visible}.length") == everything
    assert tab.complaints == []


def test_every_way_from_the_index_leads_to_a_file_that_is_there(tab: Tab, site: Path) -> None:
    for name in ("index", "month", "report", "breaks"):
        tab.go(page(site, name))
        ways = tab.say("[...new Set([...document.querySelectorAll('a[href]')].map(one => one.href.split('#')[0]))]")
        assert ways
        assert [way for way in ways if not Path(way.removeprefix("file://")).exists()] == []


def test_it_prints_with_every_break_opened(tab: Tab, site: Path) -> None:
    tab.go(report(site), dark=True)
    tab.ask("Emulation.setEmulatedMedia", media="print")
    assert tab.say("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.say("document.querySelector('details:not([open]) .cause').checkVisibility()")
    tab.ask("Emulation.setEmulatedMedia", media="")
    pages = len(re.findall(rb"/Type\s*/Page\b", tab.printed()))
    assert 3 <= pages <= 12


def colours(png: bytes) -> set[bytes]:
    """Return the distinct pixel values of a non-interlaced 8-bit PNG's rows, filters left applied: enough to tell blank from drawn."""
    data, at = b"", 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += length + 12
    raw = zlib.decompress(data)
    return {raw[index : index + 3] for index in range(1, len(raw) - 3, 97)}
