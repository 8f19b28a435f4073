"""The object store as a folder: whole objects or none, and nothing outside the folder."""

import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from worker.domain.errors import InvalidInput, NoRoom, NotFound
from worker.gateways.folder_store import FolderStore


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def test_what_is_put_is_got(store: FolderStore) -> None:
    assert store.put("runs/1/report.html", b"one") == "runs/1/report.html"
    assert store.get("runs/1/report.html") == b"one"
    store.put("runs/1/report.html", b"two")
    assert store.get("runs/1/report.html") == b"two"
    assert store.fetch("runs/1/report.html", Path("nowhere")).read_bytes() == b"two", "a folder has it already"
    store.put("empty", b"")
    assert store.get("empty") == b""


@pytest.mark.parametrize("path", ["nothing", "runs", "runs/1", "runs/1/report.html/below"])
def test_what_is_no_object_is_not_found(store: FolderStore, path: str) -> None:
    store.put("runs/1/report.html", b"one")
    with pytest.raises(NotFound):
        store.get(path)
    with pytest.raises(NotFound):
        store.fetch(path, Path("nowhere"))


@pytest.mark.parametrize("path", ["", ".", "..", "../beside", "a/../../beside", "/etc/hostname", "a/../.."])
def test_paths_that_leave_the_store_are_refused(store: FolderStore, tmp_path: Path, path: str) -> None:
    (tmp_path / "beside").write_bytes(b"not ours")
    for call in (lambda: store.get(path), lambda: store.put(path, b"x")):
        with pytest.raises(InvalidInput, match="leaves the store"):
            call()
    assert (tmp_path / "beside").read_bytes() == b"not ours"


def test_a_link_does_not_lead_out(store: FolderStore, tmp_path: Path) -> None:
    store.put("inside", b"x")
    (tmp_path / "beside").mkdir()
    (tmp_path / "store" / "link").symlink_to(tmp_path / "beside")
    with pytest.raises(InvalidInput):
        store.put("link/file", b"x")


def test_a_write_that_fails_leaves_the_old_object_and_no_rest(
    store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("a/object", b"old")

    def full(_: int) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NoRoom, match="no space"):
        store.put("a/object", b"new")
    assert store.get("a/object") == b"old"
    assert [file.name for file in (tmp_path / "store" / "a").iterdir()] == ["object"]


def test_a_file_is_named_once_it_was_read(store: FolderStore, tmp_path: Path) -> None:
    source = tmp_path / "report.csv"
    source.write_bytes(b"one" * 100_000)
    with store.holding(source) as put:
        assert store.names("files") == []
        assert put("files/report.csv") == "files/report.csv"
    # What is kept is a copy: whoever writes the file anew changes nothing.
    source.write_bytes(b"two")
    assert store.get("files/report.csv") == b"one" * 100_000
    assert [file.name for file in (tmp_path / "store").iterdir()] == ["files"]


@pytest.mark.parametrize("path", [None, "../beside"])
def test_of_a_file_that_got_no_name_nothing_is_left(store: FolderStore, tmp_path: Path, path: str | None) -> None:
    source = tmp_path / "report.csv"
    source.write_bytes(b"one")
    with suppress(InvalidInput), store.holding(source) as put:
        if path is None:
            raise InvalidInput("it cannot be relied on")
        put(path)
    assert list((tmp_path / "store").iterdir()) == []
    assert not (tmp_path / "beside").exists()


def test_objects_are_not_for_everybody(store: FolderStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    store.put("object", b"x")
    store.put_file("file", source)
    with store.holding(source) as put:
        put("held")
    for name in ("object", "file", "held"):
        assert stat.S_IMODE((tmp_path / "store" / name).stat().st_mode) & stat.S_IRWXO == 0


def test_what_lies_below_a_prefix_is_named_whole(store: FolderStore, tmp_path: Path) -> None:
    for path in ("drop/b.csv", "drop/2026/a.csv", "drops/other.csv", "drop/.part-1"):
        store.put(path, b"x")
    (tmp_path / "outside").write_bytes(b"secret")
    (tmp_path / "store" / "drop" / "link").symlink_to(tmp_path / "outside")
    assert store.names("drop/") == ["drop/2026/a.csv", "drop/b.csv"]
    assert store.names("nothing/") == []
    with pytest.raises(InvalidInput, match="leaves the store"):
        store.names("../")
