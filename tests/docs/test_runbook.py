"""The runbook has an entry for whatever wakes somebody, and each entry says what it means, where to look, whom to wake."""

import re
import tomllib
from pathlib import Path

import pytest

from infra.docs import alerts, errors, prometheus_rules
from infra.observability.rules import kebab

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = (ROOT / "infra" / "docs" / "runbook.md").read_text("utf-8")
ENTRIES = dict(re.findall(r"^### ([^\n]+)\n\n(.*?)(?=^#|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))
ALARMS = {re.sub(r"-\{\w+\}", "", one.heading): one.heading for one in alerts.alarms()}
NAMES = [
    *(one.heading for one in alerts.alarms()),
    *(name for rule in prometheus_rules.rules() if (name := kebab(rule.name)) not in ALARMS),
    *tomllib.loads((ROOT / "settings.toml").read_text("utf-8"))["default"]["alerts"],
]


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_has_an_entry(name: str) -> None:
    entry = ENTRIES.get(name, "")
    assert re.search(r"^- \*\*Means\*\* \S", entry, re.MULTILINE), f"infra/docs/runbook.md: ### {name}"
    assert re.search(r"\*\*Wake\*\* (now|today|nobody|whoever|finance)", entry)
    assert re.search(r"\*\*(Look|Do|[Ll]ook)\*\*", entry)


def test_every_entry_is_for_something_that_exists() -> None:
    told = {title for title, entry in ENTRIES.items() if entry.startswith("- **Means**")}
    assert told == set(NAMES)


@pytest.mark.parametrize("code", sorted({kind.code for kind in errors.of_worker()}))
def test_every_error_of_the_worker_has_a_line(code: str) -> None:
    part = RUNBOOK.partition("### In the worker's log")[2].partition("\n###")[0]
    assert re.search(rf"^\| `{code}` \| [^|]+ \| [^|]+ \| [^|]+ \|$", part, re.MULTILINE)


@pytest.mark.parametrize("code", sorted({kind.code for kind in errors.of_functions()}))
def test_every_error_of_the_functions_has_a_line(code: str) -> None:
    part = RUNBOOK.partition("### In the answers of the functions")[2].partition("\n## ")[0]
    assert re.search(rf"^\| (?:`\w+`, )*`{code}`(?:, `\w+`)* \|", part, re.MULTILINE)


def test_codes_that_are_named_exist() -> None:
    part = RUNBOOK.partition("## Error codes")[2].partition("## Things people ask for")[0]
    named = {code for line in re.findall(r"^\| (`.*?) \|", part, re.MULTILINE) for code in re.findall(r"`(\w+)`", line)}
    assert named == {kind.code for kind in errors.of_worker()} | {kind.code for kind in errors.of_functions()}


def test_rules_of_prometheus_lead_to_their_entry() -> None:
    """The page of alerts has the links, and a test of all links follows them."""
    assert [rule.name for rule in prometheus_rules.rules() if not (rule.entry and rule.meaning)] == []
