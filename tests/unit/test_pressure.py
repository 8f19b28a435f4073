"""Seconds that tests hold promises against: without those in which the machine kept somebody waiting."""

import time
from pathlib import Path

import pytest

from tests import pressure
from tests.pressure import Stopwatch


def says(folder: Path, *, cpu: float, stolen: int = 0) -> None:
    (folder / "cpu").write_text(
        f"some avg10=1.00 avg60=1.00 avg300=1.00 total={int(cpu * 1e6)}\nfull avg10=0.00 total=9\n"
    )
    (folder / "stat").write_text(f"cpu  1 2 3 4 5 6 7 {stolen} 0 0\ncpu0 1 1\n")


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(pressure, "_PRESSURES", (tmp_path / "cpu",))
    monkeypatch.setattr(pressure, "_STAT", tmp_path / "stat")
    return tmp_path


def test_what_somebody_waited_for_is_taken_off(kernel: Path) -> None:
    says(kernel, cpu=1000)
    watch = Stopwatch()
    time.sleep(0.01)
    assert 0.01 <= watch.seconds < 500
    says(kernel, cpu=2000)
    assert watch.seconds < -500
    says(kernel, cpu=1000, stolen=10**6)
    assert watch.seconds < -500, "what a neighbour took"


def test_where_it_is_not_counted_all_seconds_count(kernel: Path) -> None:
    watch = Stopwatch()
    time.sleep(0.01)
    assert 0.01 <= watch.seconds < 500
    assert not list(kernel.iterdir())
