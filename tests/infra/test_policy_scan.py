"""A policy scanner finds nothing that was not looked at: what it may not find is listed with a reason."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.infra.locked_environments import POLICY_SCAN
from tests.infra.terraform import AWS

pytestmark = pytest.mark.infra


@pytest.mark.timeout(600)  # twenty seconds of work, and many times that on a busy machine
def test_no_finding_is_open(tmp_path: Path, tools: None) -> None:
    command = [
        *(str(POLICY_SCAN.folder / "bin" / "checkov"), "--directory", str(AWS), "--framework", "terraform"),
        *("--config-file", str(AWS / ".checkov.yaml"), "--skip-download", "--quiet", "--compact"),
        *("--output", "json", "--output-file-path", str(tmp_path)),
    ]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_", "CKV_"))}
    done = subprocess.run(command, env=kept, capture_output=True, text=True, timeout=500, check=False)
    report = json.loads((tmp_path / "results_json.json").read_text("utf-8"))
    assert report["summary"]["passed"] > 100, "it looked at nothing"
    assert report["summary"]["parsing_errors"] == 0
    findings = [
        f"{each['check_id']} {each['file_path']}:{each['file_line_range'][0]} {each['resource']}: {each['check_name']}"
        for each in report["results"]["failed_checks"]
    ]
    assert sorted(set(findings)) == []
    assert done.returncode == 0, done.stdout + done.stderr
