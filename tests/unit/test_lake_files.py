"""Files of the lake in a folder: whole or not at all, never overwritten, and the first manifest is the one."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from tests.integration.own_database import at_once
from tests.unit.lake_books import lake_in
from tests.unit.matching_books import clean
from worker.domain.errors import Conflict, NoRoom
from worker.lake.files import LakeFiles


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    files = LakeFiles.in_folder(tmp_path / "lake")
    for content in ("first", "second"):
        files.write_json("a/manifest.json", {"content": content})
    assert files.read_json("a/manifest.json") == {"content": "first"}
    made = tmp_path / "made"
    made.write_text("x")
    with pytest.raises(Conflict, match="nothing in it is overwritten"):
        files.publish(made, "a/manifest.json", 1)
    assert sorted(path.name for path in (tmp_path / "lake/a").iterdir()) == ["manifest.json"], "nothing is left behind"


def test_a_filesystem_without_links_is_good_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(f"{self} -> {target}")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    test_nothing_is_overwritten(tmp_path)


def test_of_many_that_write_at_once_one_is_the_first(tmp_path: Path) -> None:
    files = LakeFiles.in_folder(tmp_path)
    at_once(8, lambda number: files.write_json("manifest.json", {"by": [number] * 1_000}))
    (winner,) = set(files.read_json("manifest.json")["by"])
    assert winner in range(8)
    assert json.loads((tmp_path / "manifest.json").read_text()) == {"by": [winner] * 1_000}


def test_a_batch_that_many_write_at_once_is_whole(tmp_path: Path) -> None:
    lines = clean(30).lines
    lakes = [lake_in(tmp_path, rows_per_bucket=10) for _ in range(4)]
    made = at_once(4, lambda number: lakes[number].batches.write("main", "stripe", "f" * 64, lines))
    assert [one == made[0] for one in made] == [True] * 4
    assert sorted(line.line_id for line in lakes[0].batches.lines(made[0])) == sorted(line.line_id for line in lines)


def test_a_full_disk_is_not_made_fuller_by_each_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, made = LakeFiles.in_folder(tmp_path / "lake"), tmp_path / "made"
    made.write_bytes(b"rows" * 1_000)

    def elsewhere(source: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(source), None, str(target))

    def full(source: Path, target: Path, **_: object) -> None:
        Path(target).write_bytes(Path(source).read_bytes()[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", elsewhere)
        patch.setattr(shutil, "copyfile", full)
        for write in (lambda: files.publish(made, "a/b", 1), lambda: files.rewrite("a/c", [b"result"])):
            with pytest.raises(NoRoom, match=r"takes no a/.: No space left on device"):
                write()
    assert [path.name for path in (tmp_path / "lake").rglob("*")] == ["a"], "nothing of it is left"
    files.publish(made, "a/b", 1)
    assert files.read("a/b") == b"rows" * 1_000
