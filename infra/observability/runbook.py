"""The runbook, rendered from the alert rules: what to do stands beside the rule that asks for it, and nowhere else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

FOLDER = Path(__file__).resolve().parent
RULES = FOLDER / "alerts.yaml"
DASHBOARD = FOLDER / "dashboard.json"
RUNBOOK = FOLDER / "RUNBOOK.md"

_HEAD = """\
# Runbook

One entry an alert, written by `python -m infra.observability` from `alerts.yaml`: change it there. Commands are those of
`orders`, with the settings of the environment that the alert is about. CloudWatch's alarms of the same names are about
the same things (`schedules-missed` is SchedulesMissed).

| alert | severity | after | what it means |
| --- | --- | --- | --- |
"""


def rules() -> Iterator[dict[str, Any]]:
    """Return the alert rules in the order of the file, as Prometheus reads them."""
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]:
        yield from group["rules"]


def anchor(alert: str) -> str:
    """Return where an alert's entry stands: its name, as a heading's link."""
    return alert.lower()


def rendered() -> str:
    """Return the runbook as Markdown."""
    every = list(rules())
    rows = [
        f"| [{rule['alert']}](#{anchor(rule['alert'])}) | {rule['labels']['severity']} | {rule.get('for', 'at once')} |"
        f" {rule['annotations']['meaning']} |\n"
        for rule in every
    ]
    return _HEAD + "".join(rows) + "".join(_entry(rule) for rule in every)


def _entry(rule: dict[str, Any]) -> str:
    told = rule["annotations"]
    return f"""
## {rule["alert"]}

{told["meaning"]}

{told["runbook"].strip()}

It fires when this holds{f" for {rule['for']}" if "for" in rule else ""}:

```promql
{rule["expr"]}
```
"""
