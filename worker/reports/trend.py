"""How this run compares with the ones before it: share of agreement, open breaks and amounts at risk over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.domain.finding import Verdict
from worker.domain.money import Money
from worker.reports.charts import Sparkline, sparkline
from worker.services.ports import AT_RISK, Run

LENGTH = 30
"""Runs shown at most, newest last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One small chart."""

    label: str
    first: str
    last: str
    low: str
    high: str
    chart: Sparkline


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A run of the trend and the end of its window."""

    run_id: str
    verdict: Verdict
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Runs of one shop and provider, oldest first, the present one last."""

    runs: tuple[Past, ...]
    series: tuple[Series, ...]


def trend(run: Run, earlier: Sequence[Run]) -> Trend:
    """Draw the finished runs of the same shop and provider up to `run`; no series for fewer than two."""
    same = {
        one.run_id: one
        for one in earlier
        if (one.shop, one.provider) == (run.shop, run.provider) and one.verdict and one.window_end <= run.window_end
    }
    same[run.run_id] = run
    shown = sorted(same.values(), key=lambda one: (one.window_end, one.started_at, one.run_id))[-LENGTH:]
    drawn = [_agreement(shown), _open_breaks(shown), *_at_risk(shown)]
    return Trend(
        runs=tuple(
            Past(run_id=one.run_id, verdict=Verdict(one.verdict or Verdict.INCOMPLETE), at=one.window_end)
            for one in shown
        ),
        series=tuple(series for series in drawn if series),
    )


def _agreement(runs: Sequence[Run]) -> Series | None:
    shares = []
    for one in runs:
        counts = one.counts or {}
        compared = sum(counts.get(name, 0) for name in ("matched", "pending", "warnings", "breaks"))
        shares.append(counts.get("matched", 0) / compared * 100 if compared else 100.0)
    low = min(shares)
    chart = sparkline(shares, min(low, 99.0), 100.0)
    if chart is None:
        return None
    return Series(
        label="Share that agrees",
        first=_percent(shares[0]),
        last=_percent(shares[-1]),
        low=f"lowest {_percent(low)}",
        high=f"highest {_percent(max(shares))}",
        chart=chart,
    )


def _percent(value: float) -> str:
    """Round down: 99.98 % is not 100 %."""
    return f"{int(value * 10) / 10:.1f} %"


def _open_breaks(runs: Sequence[Run]) -> Series | None:
    numbers = [(one.counts or {}).get("breaks_open", 0) for one in runs]
    chart = sparkline([float(number) for number in numbers], 0.0, float(max([*numbers, 4])))
    if chart is None:
        return None
    return Series(
        label="Open breaks",
        first=str(numbers[0]),
        last=str(numbers[-1]),
        low=f"lowest {min(numbers)}",
        high=f"highest {max(numbers)}",
        chart=chart,
    )


def open_at_risk(counts: Mapping[str, int] | None) -> dict[str, int] | None:
    """Return the minor units at risk in a run's open breaks, by currency; None where its release did not count them."""
    known = {name.removeprefix(AT_RISK): minor for name, minor in (counts or {}).items() if name.startswith(AT_RISK)}
    return known if known or not (counts or {}).get("breaks_open") else None


def _at_risk(runs: Sequence[Run]) -> list[Series | None]:
    known = [amounts for one in runs if (amounts := open_at_risk(one.counts)) is not None]
    currencies = sorted({currency for amounts in known for currency in amounts})
    return [_amounts(currency, [amounts.get(currency, 0) for amounts in known]) for currency in currencies]


def _amounts(currency: str, minors: Sequence[int]) -> Series | None:
    chart = sparkline([float(minor) for minor in minors], 0.0, float(max([*minors, 1])))
    if chart is None:
        return None
    return Series(
        label=f"At risk in {currency}",
        first=str(Money(minors[0], currency)),
        last=str(Money(minors[-1], currency)),
        low=f"lowest {Money(min(minors), currency)}",
        high=f"highest {Money(max(minors), currency)}",
        chart=chart,
    )
