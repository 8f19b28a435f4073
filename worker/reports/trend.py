"""How this run compares with the ones before it: share of agreement and open breaks over time."""

from collections.abc import Sequence
from dataclasses import dataclass

from worker.domain.finding import Verdict
from worker.reports.charts import Sparkline, sparkline
from worker.services.ports import Run

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
class Trend:
    """Runs of one shop and provider, oldest first, the present one last."""

    runs: tuple[tuple[str, str], ...]
    """Run id and verdict of each."""
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
    drawn = [_agreement(shown), _open_breaks(shown)]
    return Trend(
        runs=tuple((one.run_id, one.verdict or Verdict.INCOMPLETE.value) for one in shown),
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
