"""How breaks are named in every list of them."""

from worker.cli.output import when
from worker.domain.finding import Break


def state(item: Break) -> str:
    """Return a break's status; one that a person settled says so."""
    decision = item.settlement
    if decision is None:
        return item.status
    end = f" until {when(decision.until)}" if decision.until else ""
    return f"{decision.how} by {decision.by}{end}"
