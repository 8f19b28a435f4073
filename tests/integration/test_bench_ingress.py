"""The benchmark of the edge runs, and says what it promises to say; how fast anything is, is not asked here."""

import json
import subprocess
import sys

import pytest

from tests.bench.figures import Target
from tests.bench.ingress.figures import DOCUMENTED, TARGETS
from worker.contract.settings import ROOT

ABOUT = {"bench", "quick", "cores", "python", "missed"}


def bench(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=170)


@pytest.mark.skipif(sys.platform != "linux", reason="it reads CPU times as Linux counts them")
def test_it_measures_every_figure_that_is_documented_of_a_part() -> None:
    """One part: the others need a server and a bundle, and would cost more time than they prove."""
    expected = [name for name in DOCUMENTED if name.startswith(("stub_", "half_", "load_"))]
    done = bench("ingress", "--quick", "--part", "stub")
    assert done.returncode == 0, done.stderr
    *shown, last = done.stdout.splitlines()
    figures = json.loads(last)
    assert set(figures) == ABOUT | set(expected)
    assert (figures["bench"], figures["quick"]) == ("ingress", True)
    assert all(figures[name] > 0 for name in expected if name.endswith(("_rps", "_to_bare", "_p99_ms")))
    assert figures["missed"] == [target.figure for target in TARGETS if target.missed(figures)]
    assert [line.split()[0] for line in shown[: len(expected)]] == expected
    for target in (target for target in TARGETS if target.figure in expected):
        (line,) = [line for line in shown if line.startswith(f"{target.figure} ")]
        assert ("MISSED" in line) is (target.figure in figures["missed"])


def test_a_target_is_missed_on_its_wrong_side_only() -> None:
    assert Target("rate", 0.4, at_least=True).missed({"rate": 0.39})
    assert not Target("rate", 0.4, at_least=True).missed({"rate": 0.4})
    assert Target("cost", 2.0, at_least=False).missed({"cost": 2.01})
    assert not Target("cost", 2.0, at_least=False).missed({"cost": 2.0})


@pytest.mark.parametrize("name", [[], ["nowhere"], ["grpc_stub"]])
def test_what_can_be_measured_is_listed_for_who_names_nothing_that_can(name: list[str]) -> None:
    done = bench(*name)
    assert done.returncode == 2
    assert "\n  ingress " in done.stderr
    assert "grpc_stub  " not in done.stderr
