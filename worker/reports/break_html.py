"""One break as HTML: both records side by side, what it rests on, what was done and what may be done.

A report shows thousands of them, so they are put together here and not by a macro of a template, which takes six times
as long. What comes from outside goes through `_safe`; everything else is a word of ours, a number, or made safe already.
"""

import shlex
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from markupsafe import escape

from worker.contract.ids import is_valid_part, order_workflow_id
from worker.domain.finding import Break, Fact, Finding, FindingKind, Leg, Repair
from worker.reports import words
from worker.reports.amounts import shown
from worker.reports.found import STUCK
from worker.reports.model import OpenBreak
from worker.reports.page import when
from worker.services.ports import BreakAction

RECORDS = 20
"""Records of a side and lines of a history shown with a break at most; all of them stand in report.json."""


def drawn(one: OpenBreak, *, unfolded: bool) -> str:
    """Return the break, closed until somebody opens it, or `unfolded`."""
    item = one.item
    finding = item.finding
    kind, leg, currency = finding.kind, finding.leg, finding.currency
    name, subject, history = _safe(item.break_id), _subject(finding), one.history
    difference = finding.theirs_minor - finding.ours_minor
    runs = item.runs_seen
    return (
        f'<details class="item" data-break="{name}"{" open" if unfolded else ""}>\n'
        f'<summary><span class="what"><b>{_KIND[kind]}</b> <span class="soft">{subject}</span></span>'
        f'<span class="age small soft">{words.duration(one.age)} old</span>'
        f'<span class="state">{_CHIP[item.status]}</span>'
        f'<span class="risk">{_cash(finding.at_risk_minor, currency)}</span></summary>\n'
        f'<div class="body" id="b-{name}">\n'
        f'<h3 class="hidden">{_KIND[kind]}, {subject}</h3>\n'
        f'<p class="cause">{_cause(finding.cause)}</p>\n'
        '<div class="sides">\n'
        f"{_side(words.OUR_SIDE[leg], finding.ours_minor, finding.ours, currency)}\n"
        f"{_side(words.THEIR_SIDE[leg], finding.theirs_minor, finding.theirs, currency)}\n"
        "</div>\n"
        f"{_suggested(item) if finding.suggestions else ''}"
        '<dl class="facts">\n'
        f'<div><dt>Difference, theirs minus ours</dt><dd><span class="cur">{currency}</span> '
        f"{'+' if difference > 0 else ''}{shown(difference, currency)}</dd></div>\n"
        f"{_RULE[kind]}{leg}/{kind}{_COMPARED[leg]}"
        f"<div><dt>First seen</dt><dd>{_when(item.first_seen_at)} · in {runs:,} run{'' if runs == 1 else 's'}</dd></div>\n"
        f"<div><dt>Repair</dt><dd>{_repair(item)}</dd></div>\n"
        f"<div><dt>Owner</dt><dd>{_safe(item.owner) or 'nobody yet'}</dd></div>\n"
        f"{_linked(item) if item.links else ''}"
        f'<div><dt>Break</dt><dd><a class="mono" href="#b-{name}">{name}</a></dd></div>\n'
        "</dl>\n"
        f"{_history(history) if history else ''}"
        f'<dl class="commands">{"".join([_command(*told) for told in commands(item)])}</dl>\n'
        "</div>\n"
        "</details>\n"
    )


def _side(title: str, total: int, records: Sequence[Fact], currency: str) -> str:
    head = (
        '<div class="side">\n'
        f'<div class="lead"><h4>{title}</h4><span class="num strong">{_cash(total, currency)}</span></div>\n'
    )
    if not records:
        return f'{head}<p class="none">No record on this side.</p></div>\n'
    rows = "".join([_record(fact, currency) for fact in records[:RECORDS]])
    left = len(records) - RECORDS
    more = f'<p class="small soft">{words.count(left, "record")} more: see report.json.</p>' if left > 0 else ""
    return (
        f'{head}<table class="stack"><caption class="hidden">{title}: records</caption>\n'
        '<thead><tr><th scope="col">Record</th><th scope="col">Reference</th><th scope="col" class="num">Amount</th>'
        '<th scope="col">When (UTC)</th></tr></thead>\n'
        f"<tbody>\n{rows}</tbody></table>\n{more}</div>\n"
    )


def _record(fact: Fact, currency: str) -> str:
    status = f' <span class="under">{_safe(fact.status)}</span>' if fact.status else ""
    minor = fact.amount_minor
    moved = "\N{EN DASH}" if minor is None else shown(minor, fact.currency)
    if minor is not None and fact.currency != currency:
        moved += f" {fact.currency}"
    return (
        f'<tr><th scope="row">{_safe(fact.record)}{status}</th>'
        f'<td class="mono" data-label="Reference">{_safe(fact.reference)}</td>'
        f'<td class="num" data-label="Amount">{moved}</td><td data-label="When (UTC)">{_when(fact.at)}</td></tr>\n'
    )


def _cause(text: str) -> str:
    return _safe(text[0].upper() + text[1:]) if text else "No cause is suspected yet."


def _suggested(item: Break) -> str:
    named = ", ".join(f'<span class="mono">{_safe(key)}</span>' for key in item.finding.suggestions[:RECORDS])
    return (
        f'<p class="small soft" data-suggestions="{_safe(item.break_id)}">'
        f"Of the same amount, for a person to judge: {named}</p>"
    )


def _repair(item: Break) -> str:
    repair = item.finding.repair
    if repair is Repair.NONE:
        return _REPAIR[repair]
    tried = f" (attempt {item.repair_attempts})" if item.repair_attempts else ""
    return f"{_safe(words.REPAIR_STATE[item.repair_state])}{tried}: {_REPAIR[repair]}"


def _linked(item: Break) -> str:
    return f'<div><dt>Linked to</dt><dd class="mono">{_safe(", ".join(item.links))}</dd></div>'


def _history(actions: Sequence[BreakAction]) -> str:
    rows = "".join([_deed(action) for action in actions[-RECORDS:]])
    left = len(actions) - RECORDS
    more = f'<p class="small soft">{words.count(left, "earlier action")}: see report.json.</p>' if left > 0 else ""
    return (
        '<table class="history stack"><caption>What was done about it</caption>\n'
        '<thead><tr><th scope="col">When (UTC)</th><th scope="col">Who</th><th scope="col">What</th>'
        '<th scope="col">Detail</th></tr></thead>\n'
        f"<tbody>{rows}</tbody></table>\n{more}"
    )


def _deed(action: BreakAction) -> str:
    return (
        f'<tr><td data-label="When (UTC)">{_when(action.at)}</td><td data-label="Who">{_safe(action.actor)}</td>'
        f'<td data-label="What">{_safe(action.action.replace("_", " "))}</td>'
        f'<td data-label="Detail">{_safe(action.words)}</td></tr>'
    )


def commands(item: Break) -> list[tuple[str, str]]:
    """Return what may be done about a break, each with its command: look, mend, settle."""
    name, order_id = shlex.quote(item.break_id), item.finding.order_id
    told = [("Look at it", f"orders breaks show {name}")]
    if order_id and is_valid_part(item.shop) and is_valid_part(order_id):
        workflow = shlex.quote(order_workflow_id(item.shop, order_id))
        told.append(("See the order's workflow", f"temporal workflow show --workflow-id {workflow}"))
    if item.finding.repair is not Repair.NONE and item.repair_state in STUCK:
        told.append(
            (
                "Let the repair be tried again",
                f"orders repairs retry {item.break_id} --by YOU --reason 'WHAT WAS MENDED'",
            )
        )
    told += [
        ("Take it on", f"orders breaks assign {item.break_id} --to YOU --reason 'WHY'"),
        ("Settle it, once it is dealt with", f"orders breaks resolve {item.break_id} --reason 'WHAT WAS DONE'"),
    ]
    return told


def _command(why: str, command: str) -> str:
    return f"<div><dt>{_safe(why)}</dt><dd><code>{_safe(command)}</code></dd></div>"


def _subject(finding: Finding) -> str:
    if finding.order_id:
        return f'Order <span class="mono">{_safe(finding.order_id)}</span>'
    return f'<span class="mono">{_safe(finding.key)}</span>'


def _cash(minor: int, currency: str) -> str:
    """Return an amount after its currency; `shown` refuses what is no currency."""
    return f'<span class="cur">{currency}</span> {shown(minor, currency)}'


@lru_cache(maxsize=4096)
def _when(at: datetime) -> str:
    return str(when(at))


def _safe(text: str) -> str:
    """Return a text as it stands in HTML, between tags or quotes."""
    if "&" in text or "<" in text or ">" in text or "'" in text or '"' in text:
        return str(escape(text))
    return text


_KIND = {kind: _safe(words.KIND[kind]) for kind in FindingKind}
_RULE = {
    kind: f'<div class="broad"><dt>Rule</dt><dd>{_safe(words.RULE[kind])} <span class="faint mono">'
    for kind in FindingKind
}
_COMPARED = {leg: f"</span></dd></div>\n<div><dt>Compared</dt><dd>{_safe(words.LEG[leg])}</dd></div>\n" for leg in Leg}
_CHIP = {
    status: f'<span class="chip {words.STATUS_TONE[status]}">{words.STATUS[status]}</span>' for status in words.STATUS
}
_REPAIR = {repair: _safe(words.REPAIR[repair]) for repair in Repair}
