"""The report as one self-contained HTML file: inline CSS and SVG, no script, no request to anywhere.

It opens from a mail attachment or a bucket, prints, and follows the reader's light or dark setting. Its
policy (`default-src 'none'`) lets a browser refuse whatever a hostile name might smuggle in.
"""

import shlex
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from worker.contract.ids import is_valid_part, order_workflow_id
from worker.domain.finding import Break
from worker.domain.money import Money, format_minor
from worker.reports import words
from worker.reports.amounts import exposure
from worker.reports.charts import HEIGHT, WIDTH
from worker.reports.model import Report

DETAILS = 400
"""Breaks shown with their records; the rest is named by number and stands in the CSV and JSON."""
LISTED = 200
"""Pending, warned and resolved items shown each; the rest likewise."""


def render(report: Report, digests: Mapping[str, str]) -> bytes:
    """Return the page as UTF-8. `digests`: SHA-256 (hex) of each sibling file by its name."""
    page = _template().render(
        report=report,
        run=report.run,
        digests=digests,
        details=DETAILS,
        listed=LISTED,
        chart_width=WIDTH,
        chart_height=HEIGHT,
    )
    return page.encode()


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "money": amount,
        "signed": signed,
        "moment": words.moment,
        "iso": words.iso,
        "span": lambda run: words.span(run.window_start, run.window_end),
        "duration": words.duration,
        "kind": lambda kind: words.KIND[kind],
        "leg": lambda leg: words.LEG[leg],
        "our_side": lambda leg: words.OUR_SIDE[leg],
        "their_side": lambda leg: words.THEIR_SIDE[leg],
        "status": lambda status: words.STATUS[status],
        "repair": lambda repair: words.REPAIR[repair],
        "repair_state": lambda state: words.REPAIR_STATE[state],
        "verdict": lambda verdict: words.VERDICT[verdict],
        "tone": lambda verdict: words.TONE[verdict],
        "source": words.source,
        "decided": words.decided,
        "exposure": exposure,
        "commands": commands,
        "count": words.count,
        "sentence": lambda text: text[:1].upper() + text[1:],
    }
    environment.globals["Money"] = Money
    return environment.get_template("report.html.j2")


def amount(money: Money) -> str:
    """Return `1,234.56` with a true minus sign; the currency is written apart, so that columns align."""
    return format_minor(money.minor, money.currency).replace("-", "\N{MINUS SIGN}")


def signed(money: Money) -> str:
    """Return the amount with its sign, `+` included; zero has none."""
    return f"+{amount(money)}" if money.minor > 0 else amount(money)


def commands(item: Break) -> list[str]:
    """Return the commands that show a break and the workflow of its order."""
    told = [shlex.join(["orders", "breaks", "show", item.break_id])]
    order_id = item.finding.order_id
    if order_id and is_valid_part(item.shop) and is_valid_part(order_id):
        workflow = order_workflow_id(item.shop, order_id)
        told.append(shlex.join(["temporal", "workflow", "show", "--workflow-id", workflow]))
    return told
