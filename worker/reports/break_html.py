"""One break as HTML: both records side by side, what it rests on, what was done and what may be done.

A report shows thousands of them, so they are put together here and not by a macro of a template, which takes six times
as long. What comes from outside goes through `_safe`; everything else is a word of ours, a number, or made safe already.
"""

import re
import shlex
from collections.abc import Sequence

from markupsafe import escape

from worker.contract.ids import is_valid_part, order_workflow_id
from worker.domain.finding import Break, Fact, Finding, Repair, RepairState
from worker.domain.money import Money
from worker.reports import words
from worker.reports.model import OpenBreak
from worker.reports.page import amount, cash, signed, when
from worker.services.ports import BreakAction

RECORDS = 20
"""Records of a side and lines of a history shown with a break at most; all of them stand in report.json."""
_STUCK = frozenset({RepairState.FAILED, RepairState.REFUSED})
_SPECIAL = re.compile("[&<>'\"]")


def drawn(one: OpenBreak, *, unfolded: bool) -> str:
    """Return the break, closed until somebody opens it, or `unfolded`."""
    item = one.item
    finding = item.finding
    kind, subject, leg = _safe(words.KIND[finding.kind]), _subject(finding), finding.leg
    status, name, currency = item.status, _safe(item.break_id), finding.currency
    return (
        f'<details class="item" data-break="{name}"{" open" if unfolded else ""}>\n'
        f'<summary><span class="what"><b>{kind}</b> <span class="soft">{subject}</span></span>'
        f'<span class="age small soft">{words.duration(one.age)} old</span>'
        f'<span class="state"><span class="chip {words.STATUS_TONE[status]}">{words.STATUS[status]}</span></span>'
        f'<span class="risk">{cash(one.at_risk)}</span></summary>\n'
        f'<div class="body" id="b-{name}">\n'
        f'<h3 class="hidden">{kind}, {subject}</h3>\n'
        f'<p class="cause">{_safe(finding.cause[:1].upper() + finding.cause[1:]) or "No cause is suspected yet."}</p>\n'
        '<div class="sides">\n'
        f"{_side(words.OUR_SIDE[leg], finding.ours_minor, finding.ours, currency)}\n"
        f"{_side(words.THEIR_SIDE[leg], finding.theirs_minor, finding.theirs, currency)}\n"
        "</div>\n"
        f"{_suggested(item) if finding.suggestions else ''}"
        '<dl class="facts">\n'
        f'<div><dt>Difference, theirs minus ours</dt><dd><span class="cur">{_safe(currency)}</span> '
        f"{signed(Money(finding.difference_minor, currency))}</dd></div>\n"
        f'<div class="broad"><dt>Rule</dt><dd>{_safe(words.RULE[finding.kind])} '
        f'<span class="faint mono">{leg.value}/{finding.kind.value}</span></dd></div>\n'
        f"<div><dt>Compared</dt><dd>{_safe(words.LEG[leg])}</dd></div>\n"
        f"<div><dt>First seen</dt><dd>{when(item.first_seen_at)} · in {words.count(item.runs_seen, 'run')}</dd></div>\n"
        f"<div><dt>Repair</dt><dd>{_repair(item)}</dd></div>\n"
        f"<div><dt>Owner</dt><dd>{_safe(item.owner or 'nobody yet')}</dd></div>\n"
        f"{_linked(item) if item.links else ''}"
        f'<div><dt>Break</dt><dd><a class="mono" href="#b-{name}">{name}</a></dd></div>\n'
        "</dl>\n"
        f"{_history(one.history) if one.history else ''}"
        f'<dl class="commands">{"".join(map(_command, commands(item)))}</dl>\n'
        "</div>\n"
        "</details>\n"
    )


def _side(title: str, total: int, records: Sequence[Fact], currency: str) -> str:
    head = (
        '<div class="side">\n'
        f'<div class="lead"><h4>{title}</h4><span class="num strong">{cash(Money(total, currency))}</span></div>\n'
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
    moved = "\N{EN DASH}" if fact.amount_minor is None else amount(Money(fact.amount_minor, fact.currency))
    if fact.amount_minor is not None and fact.currency != currency:
        moved += f" {fact.currency}"
    return (
        f'<tr><th scope="row">{_safe(fact.record)}{status}</th>'
        f'<td class="mono" data-label="Reference">{_safe(fact.reference)}</td>'
        f'<td class="num" data-label="Amount">{moved}</td><td data-label="When (UTC)">{when(fact.at)}</td></tr>\n'
    )


def _suggested(item: Break) -> str:
    named = ", ".join(f'<span class="mono">{_safe(key)}</span>' for key in item.finding.suggestions[:RECORDS])
    return (
        f'<p class="small soft" data-suggestions="{_safe(item.break_id)}">'
        f"Of the same amount, for a person to judge: {named}</p>"
    )


def _repair(item: Break) -> str:
    repair = item.finding.repair
    if repair is Repair.NONE:
        return _safe(words.REPAIR[repair])
    tried = f" (attempt {item.repair_attempts})" if item.repair_attempts else ""
    return f"{_safe(words.REPAIR_STATE[item.repair_state])}{tried}: {_safe(words.REPAIR[repair])}"


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
        f'<tr><td data-label="When (UTC)">{when(action.at)}</td><td data-label="Who">{_safe(action.actor)}</td>'
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
    if item.finding.repair is not Repair.NONE and item.repair_state in _STUCK:
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


def _command(told: tuple[str, str]) -> str:
    why, command = told
    return f"<div><dt>{_safe(why)}</dt><dd><code>{_safe(command)}</code></dd></div>"


def _subject(finding: Finding) -> str:
    if finding.order_id:
        return f'Order <span class="mono">{_safe(finding.order_id)}</span>'
    return f'<span class="mono">{_safe(finding.key)}</span>'


def _safe(text: str) -> str:
    """Return a text as it stands in HTML, between tags or quotes."""
    return str(escape(text)) if _SPECIAL.search(text) else text
