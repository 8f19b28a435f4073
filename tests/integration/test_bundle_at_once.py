"""Two builds of the bundle at once, into one folder: neither sees the other's half, and what is told of a zip is true."""

import base64
import fcntl
import hashlib
import os
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from infra.bundle import __main__ as program
from infra.bundle import archive, build
from infra.bundle.build import Bundle
from infra.bundle.target import ARCHITECTURES, Target, running_python
from infra.local.layout import PROJECT
from tests.infra.waiting import until

ARCHITECTURE = next(iter(ARCHITECTURES))
TARGET = Target(architecture=ARCHITECTURE, python=running_python())


@pytest.fixture(autouse=True)
def few_libraries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give every build one small library and one file of ours: the right ones are another test's."""
    folder = tmp_path / "libraries"
    folder.mkdir()
    (folder / "library.py").write_text("first", "utf-8")
    monkeypatch.setattr(build, "libraries", lambda *_: folder)
    monkeypatch.setattr(build, "own_files", lambda _: ["functions/health.py"])
    return folder


def built(output: Path) -> Bundle:
    return build.build(PROJECT, TARGET, output=output, cache=output)


def told_of(bundle: Bundle) -> tuple[str, int]:
    content = bundle.path.read_bytes()
    return base64.b64encode(hashlib.sha256(content).digest()).decode(), len(content)


def test_neither_disturbs_the_other(few_libraries: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second begins and ends while the first has written its zip, and not yet named it."""
    others: list[Bundle] = []

    def pack(files: Any, to: Path) -> None:
        archive.pack(files, to)
        if not others:
            monkeypatch.setattr(build, "pack", archive.pack)
            (few_libraries / "library.py").write_text("second", "utf-8")
            others.append(built(tmp_path / "out"))
            assert told_of(others[0]) == (others[0].sha256, others[0].zipped)

    monkeypatch.setattr(build, "pack", pack)
    first = built(tmp_path / "out")
    assert told_of(first) == (first.sha256, first.zipped)
    assert first.sha256 != others[0].sha256
    with zipfile.ZipFile(first.path) as found:
        assert (found.testzip(), found.read("library.py")) == (None, b"first")
    assert list((tmp_path / "out").iterdir()) == [first.path]


def test_one_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = built(tmp_path / "out")

    def pack(files: Any, to: Path) -> None:
        archive.pack(dict(list(files.items())[:1]), to)
        raise OSError("no space left on device")

    monkeypatch.setattr(build, "pack", pack)
    with pytest.raises(OSError, match="no space left"):
        built(tmp_path / "out")
    assert told_of(before) == (before.sha256, before.zipped)
    assert list((tmp_path / "out").iterdir()) == [before.path]


def test_the_program_waits_for_another_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--arch", ARCHITECTURE, "--output", str(tmp_path / "out")]
    statuses: list[int] = []
    (tmp_path / "out").mkdir()
    other = os.open(tmp_path / "out", os.O_RDONLY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX)
        waiting = threading.Thread(target=lambda: statuses.append(program.main(arguments)))
        waiting.start()
        until("it to wait", lambda: "waiting for it" in capsys.readouterr().out or None, 60)
        assert list((tmp_path / "out").iterdir()) == []
    finally:
        os.close(other)
    waiting.join(60)
    assert statuses == [0]
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"functions.json", f"functions-{TARGET.name}.zip"}
