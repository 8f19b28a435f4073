"""Tests' files go to memory where that is possible, and what a dead session left there does not stay."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests import scratch


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", "restored afterwards")
    monkeypatch.delenv("TMPDIR")
    monkeypatch.setattr(tempfile, "tempdir", tempfile.gettempdir())
    monkeypatch.setattr(scratch, "MEMORY", tmp_path)
    monkeypatch.setattr(scratch, "ENOUGH", 1)
    return tmp_path / f"orders-tests-{os.getuid()}"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere files stay where they are")
def test_a_session_has_a_folder_of_its_own_and_clears_away_what_dead_ones_left(memory: Path) -> None:
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    (memory / str(ended.pid) / "left").mkdir(parents=True)
    (memory / str(os.getppid())).mkdir()
    scratch.settle()
    assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(memory / str(os.getpid()))
    assert {folder.name for folder in memory.iterdir()} == {str(os.getpid()), str(os.getppid())}


@pytest.mark.parametrize("enough", [2**80, 1], ids=["too little", "TMPDIR is set"])
def test_without_enough_memory_or_against_a_wish_nothing_changes(
    memory: Path, monkeypatch: pytest.MonkeyPatch, enough: int
) -> None:
    monkeypatch.setattr(scratch, "ENOUGH", enough)
    if enough == 1:
        monkeypatch.setenv("TMPDIR", "/somewhere")
    before = dict(os.environ)
    scratch.settle()
    assert dict(os.environ) == before
    assert not memory.exists()
