"""What a report asks of people, the most pressing first, and what goes on without them."""

from dataclasses import dataclass

from worker.domain.finding import Verdict
from worker.reports import words
from worker.reports.cards import INCOMPLETE, Told
from worker.reports.found import Found, Open
from worker.services.ports import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thing to do, or to know that it needs nobody."""

    code: str
    text: str
    place: str
    """The part of the report where the items stand, as its anchor."""
    tone: str


def agenda(run: Run, told: Told, found: Found, opened: Open) -> tuple[Task, ...]:
    """Return what is to be done; one task at least, even if it says that there is nothing."""
    asked = [*_complete(run, told, found), *_broken(opened)]
    if found.warnings:
        look = f"Look at {words.count(len(found.warnings), 'warning')}: no money is known to be missing."
        asked.append(Task(code="warnings", text=look, place="warnings", tone="warn"))
    if not asked:
        asked.append(Task(code="nothing", text="Nothing is to be done.", place="", tone="good"))
    return (*asked, *_waiting(found, opened))


def _complete(run: Run, told: Told, found: Found) -> list[Task]:
    """Return what makes the run complete: nothing else that it says is certain before."""
    if told.verdict is not Verdict.INCOMPLETE:
        return []
    place = "rejected" if found.rejected else "again"
    return [
        Task(code="complete", text=f"Mend this and run it again: {why}.", place=place, tone="bad")
        for why in run.incomplete_because or (INCOMPLETE,)
    ]


def _broken(opened: Open) -> list[Task]:
    tasks = []
    if opened.stuck:
        gone = words.count(opened.stuck, "repair")
        text = f"{gone} did not help or went beyond a limit: mend the cause, then have it tried again."
        tasks.append(Task(code="stuck", text=text, place="breaks", tone="bad"))
    if opened.left:
        nobody = ""
        if opened.unowned:
            of_them = "it" if opened.left == 1 else "them"
            some = of_them if opened.unowned == opened.left else f"{opened.unowned:,} of {of_them}"
            nobody = f" Nobody has taken {some} on."
        largest = ", the largest amount first" if opened.left > 1 else ""
        look = f"Look into {words.count(opened.left, 'break')} that nothing mends by itself{largest}.{nobody}"
        tasks.append(Task(code="breaks", text=look, place="top", tone="bad"))
    return tasks


def _waiting(found: Found, opened: Open) -> list[Task]:
    """Return what goes on by itself."""
    tasks = []
    if opened.mending:
        under_way, helped = ("is", "it") if opened.mending == 1 else ("are", "they")
        repairs = f"{words.count(opened.mending, 'repair')} {under_way} under way"
        text = f"{repairs}: the next run tells whether {helped} helped."
        tasks.append(Task(code="mending", text=text, place="breaks", tone="wait"))
    if found.pending:
        (first,) = found.pending[:1]
        one = len(found.pending) == 1
        due = ""
        if first.break_on:
            due = f" {'It' if one else 'The first'} counts as a break from {words.moment(first.break_on)} UTC on."
        waiting = f"{words.count(len(found.pending), 'item')} {'waits' if one else 'wait'} for the other side,"
        text = f"{waiting} within {'its' if one else 'their'} grace.{due}"
        tasks.append(Task(code="pending", text=text, place="pending", tone="wait"))
    return tasks
