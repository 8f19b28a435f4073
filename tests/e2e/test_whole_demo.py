"""The demo keeps its promises, small, in a directory of its own, and leaves nothing running."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local import pids
from infra.local.layout import PROJECT

STORY = """
import asyncio, sys
from pathlib import Path
from infra.local.demo import story
directory = Path(sys.argv[1])
sys.exit(asyncio.run(story(directory, directory / "reports", 16, 7)))
"""


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_demo_with_sixteen_orders(tmp_path: Path) -> None:
    directory = tmp_path / "demo"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ORDERS_")}
    told = subprocess.run(
        [sys.executable, "-c", STORY, str(directory)],
        cwd=PROJECT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=220,
        check=False,
    )
    assert told.returncode == 0, f"{told.stdout[-4000:]}\n{told.stderr[-4000:]}"
    assert "BROKEN" not in told.stdout
    assert told.stdout.count("kept") >= 9
    index = (directory / "reports" / "index.html").read_text(encoding="utf-8")
    listed = re.findall(r'<tr data-run="[^"]+"[^>]*><th scope="row"><a href="([^"]+)"', index)
    assert len(listed) >= 2, "both runs of the schedule, by whichever process they were written"
    assert all((directory / "reports" / address).is_file() for address in listed)
    assert pids.marked(directory.resolve()) == set()
    assert not (directory / "state.json").exists()
