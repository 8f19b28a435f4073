"""The alert rules of Prometheus, where there are any: read from their files as they stand, with their annotations."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from infra.docs.told import ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule that alerts. `lasting` is how long its expression holds before it does; `entry` is what to do, as a link into the runbook."""

    name: str
    expression: str
    lasting: str
    severity: str
    meaning: str
    entry: str


def files() -> list[Path]:
    """Return the files below infra/ that hold groups of rules."""
    found = [file for kind in ("*.yml", "*.yaml") for file in (ROOT / "infra").rglob(kind)]
    return sorted(file for file in found if ".terraform" not in file.parts and "alert:" in file.read_text("utf-8"))


def rules() -> list[Rule]:
    """Return every rule that alerts."""
    return [rule for file in files() for rule in _rules(yaml.safe_load(file.read_text("utf-8")))]


def _rules(document: Any) -> Iterator[Rule]:
    groups = document.get("groups", ()) if isinstance(document, dict) else ()
    for each in (rule for group in groups for rule in group.get("rules", ()) if "alert" in rule):
        told = each.get("annotations", {})
        yield Rule(
            name=each["alert"],
            expression=" ".join(str(each["expr"]).split()),
            lasting=str(each.get("for", "at once")),
            severity=str(each.get("labels", {}).get("severity", "")),
            meaning=str(told.get("meaning") or told.get("description") or told.get("summary", "")),
            entry=_from_here(str(told.get("runbook_url", ""))),
        )


def _from_here(link: str) -> str:
    """Return a link for the pages of the reference; the rules' own are from the top of the repository."""
    return f"../../{link.removeprefix('infra/')}" if link.startswith("infra/") else link
