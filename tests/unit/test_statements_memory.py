"""A statement file may have any size: to import it takes the memory of some thousand rows, not of all."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_KB = 6_000
"""What six times the rows may take more. Held in memory, rows and their lines take 16 MB more."""


def test_an_import_takes_no_more_memory_for_more_rows(tmp_path: Path) -> None:
    """Of formats that are read row by row, among them one with running balances, and one of which no row can be read."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.importing_alone", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    few, many = json.loads(done.stdout)
    assert many - few < MOST_KB
