"""The alert rules of Prometheus as they are written, and where the runbook has the entry of each."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

FOLDER = Path(__file__).resolve().parent
RULES = FOLDER / "alerts.yaml"
DASHBOARD = FOLDER / "dashboard.json"


def rules() -> Iterator[dict[str, Any]]:
    """Return the alert rules in the order of the file, as Prometheus reads them."""
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]:
        yield from group["rules"]


def kebab(alert: str) -> str:
    """Return an alert's name as CloudWatch's alarms and the runbook's headings are written: StuckWork is stuck-work."""
    return re.sub(r"(?<=[a-z])(?=[A-Z0-9])", "-", alert).lower()
