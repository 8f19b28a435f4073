"""What every page of the site shares: the templates' environment, the styles, the policy that forbids the rest.

A page is one file with its CSS and SVG in it. Its policy (`default-src 'none'`) names the digests of the page's own
style and script, so a browser refuses whatever a hostile name might smuggle in, and asks nothing of any network.
"""

import base64
import hashlib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from worker.domain.finding import Verdict
from worker.domain.money import Money
from worker.reports import words
from worker.reports.amounts import exposure, shown
from worker.reports.standing import amounts_at_risk

if TYPE_CHECKING:
    from jinja2 import Environment

_FOLDER = Path(__file__).parent


def page(template: str, *, script: str = "", filters: str = "", **values: Any) -> bytes:
    """Render a template as a whole page, UTF-8.

    `script`: the file of its only script, if it needs one; `filters`: rules of this page's own, after all others.
    """
    shown = environment().get_template(template)
    style = _source("page.css") + Markup(filters)  # noqa: S704 - made of numbers by the caller
    return shown.render(style=style, script=_source(script) if script else "", **values).encode()


@cache
def _source(name: str) -> Markup:
    """Return a file of ours as it goes into a page; what is hashed is what stands there."""
    return Markup((_FOLDER / name).read_text(encoding="utf-8").strip())  # noqa: S704 - a file of this package


def policy(style: str, script: str) -> str:
    """Return the content security policy of a page with this style and, if any, this script."""
    parts = ["default-src 'none'", f"style-src '{_digest(style)}'", "img-src data:"]
    parts += [f"script-src '{_digest(script)}'"] if script else []
    return "; ".join([*parts, "base-uri 'none'", "form-action 'none'"])


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def environment() -> "Environment":
    """Return the environment of the templates: everything is escaped, and a name that is missing is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - not in each worker's start

    made = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "money": amount,
        "signed": signed,
        "cash": cash,
        "when": when,
        "moment": words.moment,
        "iso": words.iso,
        "span": lambda run: words.span(run.window_start, run.window_end),
        "duration": words.duration,
        "kind": lambda kind: words.KIND[kind],
        "rule": lambda kind: words.RULE[kind],
        "bucket": lambda name: words.BUCKET[name],
        "answer": lambda verdict: words.ANSWER[verdict],
        "leg": lambda leg: words.LEG[leg],
        "status": lambda status: words.STATUS[status],
        "status_tone": lambda status: words.STATUS_TONE[status],
        "repair": lambda repair: words.REPAIR[repair],
        "verdict": lambda verdict: words.VERDICT[verdict],
        "tone": lambda verdict: words.TONE[verdict],
        "as_verdict": Verdict,
        "at_risk": amounts_at_risk,
        "source": words.source,
        "decided": words.decided,
        "exposure": exposure,
        "count": words.count,
        "sentence": lambda text: text[:1].upper() + text[1:],
    }
    made.globals |= {"Money": Money, "policy": policy, "verdicts": tuple(Verdict)}
    return made


def amount(money: Money) -> str:
    """Return `1,234.56` with a true minus sign; the currency is written apart, so that columns align."""
    return shown(money.minor, money.currency)


def signed(money: Money) -> str:
    """Return the amount with its sign, `+` included; zero has none."""
    return f"+{amount(money)}" if money.minor > 0 else amount(money)


def cash(money: Money) -> Markup:
    """Return an amount after its currency, as it stands beside text."""
    return Markup(f'<span class="cur">{money.currency}</span> {amount(money)}')  # noqa: S704 - three letters and digits


def when(at: datetime) -> Markup:
    """Return a time to the minute; whoever looks closer finds it exactly."""
    return Markup(f'<time datetime="{words.iso(at)}">{words.moment(at)}</time>')  # noqa: S704 - digits and a month
