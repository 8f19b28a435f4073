"""Figures for CloudWatch as lines among the logs: CloudWatch reads them there (embedded metric format, version 0).

No API is called and no right is needed: the log driver carries the line. A line holds the figures of one set of
dimensions; a figure without dimensions is one for the whole environment, whichever process wrote it.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TextIO


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Figures that share their dimensions. `values` maps a metric to its value and its CloudWatch unit."""

    values: Mapping[str, tuple[float, str]]
    dimensions: Mapping[str, str]


def line(namespace: str, figures: Figures, now: datetime) -> str:
    """Return one line, without its end."""
    document = {
        "_aws": {
            "Timestamp": int(now.timestamp() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": namespace,
                    "Dimensions": [list(figures.dimensions)],
                    "Metrics": [{"Name": name, "Unit": unit} for name, (_, unit) in figures.values.items()],
                }
            ],
        },
        **figures.dimensions,
        **{name: value for name, (value, _) in figures.values.items()},
    }
    return json.dumps(document, separators=(",", ":"))


def write(namespace: str, figures: Iterable[Figures], now: datetime, stream: TextIO | None = None) -> None:
    """Write the lines at once, each whole, past the log's formatter: a line with anything before it is not read."""
    lines = [f"{line(namespace, each, now)}\n" for each in figures]
    output = stream or sys.stdout
    output.write("".join(lines))
    output.flush()
