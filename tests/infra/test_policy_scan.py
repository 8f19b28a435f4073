"""A policy scanner finds nothing that was not looked at, and nothing is skipped that it would not find.

It reads a copy without the skips, so that both can be said: a finding has its skip, with a reason, within its resource;
a skip has a finding, in the examples or at the loosest settings. A skip that hides nothing today hides what comes tomorrow.
"""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.infra.locked_environments import POLICY_SCAN
from tests.infra.terraform import AWS

pytestmark = pytest.mark.infra

LOOSE = Path(__file__).with_name("loose_settings.tf")
SKIP = re.compile(r"checkov:skip=(?P<check>[A-Z0-9_]+)")


@dataclass(frozen=True, order=True)
class Skip:
    """What is not to be found in the resource around a line."""

    file: str
    line: int
    check: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What the scanner found in the lines of a resource."""

    check: str
    what: str
    file: str
    lines: tuple[int, int]

    def is_accepted_by(self, skip: Skip) -> bool:
        first, last = self.lines
        return (skip.check, skip.file) == (self.check, self.file) and first <= skip.line <= last

    def __str__(self) -> str:
        return f"{self.check} {self.file}:{self.lines[0]} {self.what}"


def written() -> set[Skip]:
    """Return every skip of the configuration."""
    return {
        Skip(file.relative_to(AWS).as_posix(), number, match["check"])
        for file in AWS.rglob("*.tf")
        if ".terraform" not in file.parts
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        for match in SKIP.finditer(line)
    }


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory, tools: None) -> list[Finding]:
    """What the scanner finds where nothing is skipped."""
    folder = tmp_path_factory.mktemp("scan")
    copy = folder / "aws"
    shutil.copytree(AWS, copy, ignore=shutil.ignore_patterns(".terraform", "tests"))
    (copy / "examples" / "loose").mkdir()
    shutil.copy(LOOSE, copy / "examples" / "loose" / "main.tf")
    for file in copy.rglob("*.tf"):
        file.write_text(SKIP.sub("not skipped: ", file.read_text("utf-8")), "utf-8")  # the lines keep their numbers
    command = [
        *(str(POLICY_SCAN.folder / "bin" / "checkov"), "--directory", str(copy), "--framework", "terraform"),
        *("--config-file", str(copy / ".checkov.yaml"), "--skip-download", "--quiet", "--compact", "--soft-fail"),
        *("--output", "json", "--output-file-path", str(folder)),
    ]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_", "CKV_"))}
    done = subprocess.run(command, env=kept, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((folder / "results_json.json").read_text("utf-8"))
    assert report["summary"]["passed"] > 100, "it looked at nothing"
    assert report["summary"]["parsing_errors"] == 0
    return [
        Finding(
            check=each["check_id"],
            what=f"{each['resource']}: {each['check_name']}",
            file=each["file_path"].lstrip("/"),
            lines=tuple(each["file_line_range"]),
        )
        for each in report["results"]["failed_checks"]
    ]


@pytest.mark.timeout(600)  # twenty seconds of work, and many times that on a busy machine
def test_no_finding_is_open(findings: list[Finding]) -> None:
    skips = written()
    assert {str(each) for each in findings if not any(each.is_accepted_by(skip) for skip in skips)} == set()


@pytest.mark.timeout(600)
def test_no_skip_is_in_vain(findings: list[Finding]) -> None:
    assert [skip for skip in sorted(written()) if not any(each.is_accepted_by(skip) for each in findings)] == []
