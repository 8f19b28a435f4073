"""What a person may do about a break, and what becomes of it. Pure: the same break, deed and time give the same answer.

    deed      on a break that is                      what it does
    assign    open, or ignored                        names who looks after it (or nobody)
    comment   any                                     adds a remark
    resolve   open, or ignored                        settles it until its class or an amount changes
    ignore    open, or ignored (with another end)     as resolve; with an end it counts again from then on
    reopen    settled by a person                     takes that decision back
    link      any                                     notes what explains it; a linked break gets the link as well

Every deed has an actor and a reason. Nothing is netted: two linked breaks stay two breaks. What the books closed by
themselves a person cannot reopen: it comes back by itself when the books differ again.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from worker.domain.errors import Conflict
from worker.domain.finding import OPEN_STATUSES, Break, BreakStatus, SettledAs, Settlement

LONGEST_REASON = 2000
LONGEST_NAME = 128
LONGEST_LINK = 330
MOST_LINKS = 50
RESERVED_ACTORS = frozenset({"reconciliation"})
"""Names by which the engine signs its own deeds."""
BREAK_LINK = "break/"

_LINK = re.compile(r"(break/[0-9a-f]{16}|(order|payment)/\S+)")
_HARMLESS = str.maketrans("", "", "\u00a0\u202f\u200c\u200d")
"""Spaces that do not break, and joiners of some scripts and of emoji: no print, no harm."""


class Deed(StrEnum):
    """What a person does about a break."""

    ASSIGN = "assign"
    COMMENT = "comment"
    RESOLVE = "resolve"
    IGNORE = "ignore"
    REOPEN = "reopen"
    LINK = "link"


PAST = {
    Deed.ASSIGN: "assigned",
    Deed.COMMENT: "commented",
    Deed.RESOLVE: "resolved",
    Deed.IGNORE: "ignored",
    Deed.REOPEN: "reopened",
    Deed.LINK: "linked",
}
"""The deed as the history tells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervention:
    """One deed of a person on one break."""

    deed: Deed
    actor: str
    reason: str
    """Why; of a comment, the remark itself."""
    new_owner: str = ""
    """Of an assignment: who looks after it from now on; empty for nobody."""
    until: datetime | None = None
    """Of ignoring: when it counts again; None for never."""
    link_to: str = ""
    """Of a link: `break/ID`, `order/ID` or `payment/REFERENCE`."""

    @property
    def linked_break(self) -> str:
        """The id of the other break of a link, or nothing."""
        return self.link_to.removeprefix(BREAK_LINK) if self.link_to.startswith(BREAK_LINK) else ""


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a deed is refused; `field` is the part of the intervention that is to blame, `action` where the state is."""

    field: str
    why: str


def version(item: Break) -> str:
    """Return a mark that changes when people acted on the break, or when it came to mean something else.

    Being seen again, unchanged, by another run does not change it.
    """
    finding = item.finding
    told = (
        item.revision,
        item.status in OPEN_STATUSES,
        finding.kind,
        finding.currency,
        finding.ours_minor,
        finding.theirs_minor,
        finding.at_risk_minor,
    )
    return hashlib.sha256("\n".join(map(str, told)).encode()).hexdigest()[:12]


def objections(item: Break, act: Intervention, now: datetime) -> tuple[Objection, ...]:
    """Return everything that speaks against a deed; nothing when it may be done."""
    found = [_name("actor", act.actor, required=True), _reason(act.reason)]
    if act.actor.strip() in RESERVED_ACTORS:
        found.append(Objection("actor", f"{act.actor} is the engine's own name"))
    if act.deed is Deed.ASSIGN:
        found.append(_name("new_owner", act.new_owner, required=False))
    if act.deed is Deed.LINK:
        found.append(_link(item, act.link_to))
    if act.deed is Deed.IGNORE and act.until is not None and act.until <= now:
        found.append(Objection("until", "must lie in the future"))
    found += [
        Objection(field, f"has no place in {act.deed}")
        for field, given, deed in (
            ("new_owner", act.new_owner, Deed.ASSIGN),
            ("until", act.until, Deed.IGNORE),
            ("link_to", act.link_to, Deed.LINK),
        )
        if given and act.deed is not deed
    ]
    found.append(_state(item, act))
    return tuple(one for one in found if one is not None)


def applied(item: Break, act: Intervention, now: datetime) -> Break:
    """Return the break after a deed. Raises Conflict with every objection when it may not be done."""
    against = objections(item, act, now)
    if against:
        raise Conflict(f"break {item.break_id}: " + "; ".join(f"{one.field}: {one.why}" for one in against))
    acted = replace(item, revision=item.revision + 1)
    match act.deed:
        case Deed.ASSIGN:
            return replace(acted, owner=act.new_owner)
        case Deed.LINK:
            return linked(item, act.link_to)
        case Deed.RESOLVE | Deed.IGNORE:
            how = SettledAs.RESOLVED if act.deed is Deed.RESOLVE else SettledAs.IGNORED
            settlement = Settlement(how=how, by=act.actor, at=now, reason=act.reason, until=act.until)
            return replace(
                acted, status=BreakStatus.RESOLVED, resolved_at=now, resolution=act.reason, settlement=settlement
            )
        case Deed.REOPEN:
            return reopened(acted)
        case _:
            return acted


def linked(item: Break, target: str) -> Break:
    """Return the break with a link; its other end gets one back by the same way."""
    return replace(item, links=tuple(sorted({*item.links, target})), revision=item.revision + 1)


def reopened(item: Break) -> Break:
    """Return the break open again, with the evidence it had: the next run looks back as far and judges it anew."""
    return replace(item, status=BreakStatus.REOPENED, resolved_at=None, resolution="", settlement=None)


def has_lapsed(item: Break, now: datetime) -> bool:
    """Tell whether the time for which a break was ignored has ended."""
    decision = item.settlement
    return decision is not None and decision.until is not None and decision.until <= now


def may_explain(item: Break, others: list[Break]) -> list[Break]:
    """Return the open breaks of the same shop that differ by the opposite amount, oldest movement first.

    A suggestion and no more: equal amounts prove nothing, so nothing is linked before a person says so.
    """
    difference = item.finding.difference_minor
    found = [
        other
        for other in others
        if difference
        and other.break_id != item.break_id
        and (other.shop, other.finding.currency) == (item.shop, item.finding.currency)
        and other.finding.difference_minor == -difference
        and other.status in OPEN_STATUSES
        and BREAK_LINK + other.break_id not in item.links
    ]
    return sorted(found, key=lambda other: (other.first_movement_at, other.break_id))


def _state(item: Break, act: Intervention) -> Objection | None:
    """Return what speaks against the deed in the break's own state."""
    decision = item.settlement
    is_open = item.status in OPEN_STATUSES
    ignored = decision is not None and decision.how is SettledAs.IGNORED
    if act.deed in {Deed.COMMENT, Deed.LINK}:
        return None
    if act.deed is Deed.REOPEN:
        if is_open:
            return Objection("action", "it is open")
        if decision is None:
            return Objection(
                "action", f"the books agree ({item.resolution}); it opens by itself when they differ again"
            )
        return None
    if not is_open and not ignored:
        return Objection(
            "action", f"it is resolved already, {_by(item)}; reopen it first" if decision else _closed(item)
        )
    if act.deed is Deed.ASSIGN and act.new_owner == item.owner:
        return Objection("new_owner", f"it is assigned to {item.owner} already" if item.owner else "nobody has it")
    if act.deed is Deed.IGNORE and decision is not None and decision.until == act.until:
        return Objection("action", f"it is ignored already, {_by(item)}, until that time")
    return None


def _closed(item: Break) -> str:
    return f"it is resolved already: the books agree ({item.resolution})"


def _by(item: Break) -> str:
    assert item.settlement is not None
    return f"by {item.settlement.by} at {item.settlement.at:%Y-%m-%d %H:%M} UTC"


def _link(item: Break, target: str) -> Objection | None:
    if not _LINK.fullmatch(target) or len(target) > LONGEST_LINK or not target.isprintable():
        return Objection("link_to", "must read break/ID, order/ID or payment/REFERENCE")
    if target == BREAK_LINK + item.break_id:
        return Objection("link_to", "a break does not explain itself")
    if target in item.links:
        return Objection("link_to", f"it is linked to {target} already")
    if len(item.links) >= MOST_LINKS:
        return Objection("link_to", f"it has {MOST_LINKS} links, which is the most")
    return None


def _reason(text: str) -> Objection | None:
    if not text.strip():
        return Objection("reason", "say why")
    if len(text) > LONGEST_REASON:
        return Objection("reason", f"is longer than {LONGEST_REASON} characters")
    if not text.translate(_HARMLESS).isprintable():
        return Objection("reason", "holds a line break or a character that does not print")
    return None


def _name(field: str, text: str, *, required: bool) -> Objection | None:
    if not text.strip():
        return Objection(field, "is missing") if required or text else None
    if len(text) > LONGEST_NAME or text != text.strip() or not text.isprintable():
        return Objection(field, f"must be a name of at most {LONGEST_NAME} characters that print")
    return None
