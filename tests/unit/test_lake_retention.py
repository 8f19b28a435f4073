"""What of a lake in a folder goes, and when: never lines of files, never what is new, and the same as a bucket's rules."""

import os
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.local.layout import PROJECT
from tests.unit.lake_books import lake_in, matched_in_a_lake
from tests.unit.matching_books import SCOPE, clean
from worker.domain.errors import Conflict
from worker.lake.retention import OF_RUNS, UNFINISHED, UNFINISHED_KEPT, clear, expire, kept_for

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def gathered(folder: Path) -> str:
    """Keep a statement file's lines and gather a run over the API; return where the run lies."""
    books, lake = clean(12), lake_in(folder)
    lake.keep("main", "stripe", "a" * 64, books.lines)
    matched_in_a_lake(lake, books.entries, books.lines, lambda _: None, SCOPE)
    (manifest,) = folder.rglob("manifest.json")
    return str(manifest.parent.relative_to(folder))


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_run_goes_after_its_time_and_lines_of_files_stay(tmp_path: Path) -> None:
    run = gathered(tmp_path)
    before = files(tmp_path)
    assert expire(tmp_path, kept_for(400), NOW + 399 * DAY) == 0
    assert files(tmp_path) == before
    assert expire(tmp_path, kept_for(400), NOW + 401 * DAY) > 0
    assert files(tmp_path) == {name for name in before if name.startswith("lines/")} != set()
    with pytest.raises(Conflict, match="run the reconciliation again"):
        lake_in(tmp_path).gathered(run)
    assert lake_in(tmp_path).batches.find("main", "stripe", "a" * 64) is not None
    # Folders go once they have been empty for a day.
    expire(tmp_path, kept_for(400), NOW + 403 * DAY)
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} >= {"lines", "runs"}
    assert list((tmp_path / "runs").iterdir()) == []


def test_what_a_killed_process_left_on_disk_goes_and_nobody_else_s(tmp_path: Path) -> None:
    def made(name: str, *, hours: float, inside: float | None = None) -> None:
        file = tmp_path / name / "fetched" / "a.parquet"
        file.parent.mkdir(parents=True)
        file.write_bytes(b"x")
        for path, age in ((file, inside or hours), (file.parent, hours), (tmp_path / name, hours)):
            os.utime(path, ((NOW - timedelta(hours=age)).timestamp(),) * 2)

    made("orders-lake-dead", hours=7)
    made("orders-spill-dead", hours=9)
    made("orders-report-new", hours=1)
    made("orders-lake-at-work", hours=30, inside=0.1)
    made("somebody-else", hours=30)
    (tmp_path / "orders-lake-link").symlink_to(tmp_path / "somebody-else")
    kept = {"orders-report-new", "orders-lake-at-work", "somebody-else", "orders-lake-link"}
    assert clear([tmp_path, tmp_path, tmp_path / "nowhere"], NOW) == 2
    assert {path.name for path in tmp_path.iterdir()} == kept
    assert (tmp_path / "somebody-else/fetched/a.parquet").exists()


def test_zero_days_keep_runs_for_good_but_not_what_was_never_finished(tmp_path: Path) -> None:
    gathered(tmp_path)
    for name in ("reading/shop=main/run=1/part-00000.parquet", "runs/.manifest.json.1234abcd"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        os.utime(path, ((NOW - 8 * DAY).timestamp(),) * 2)
    before = files(tmp_path)
    assert expire(tmp_path, kept_for(0), NOW) == 2
    assert before - files(tmp_path) == {"reading/shop=main/run=1/part-00000.parquet", "runs/.manifest.json.1234abcd"}


def test_another_replica_may_remove_what_this_one_is_about_to_look_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / gathered(tmp_path)
    before, look = files(tmp_path), os.scandir

    def quicker(path: Any) -> Any:
        if Path(path) == gone:
            monkeypatch.setattr(os, "scandir", look)
            shutil.rmtree(gone)
        return look(path)

    monkeypatch.setattr(os, "scandir", quicker)
    assert expire(tmp_path, kept_for(400), NOW + 401 * DAY) > 0
    assert files(tmp_path) == {name for name in before if name.startswith("lines/")}
    assert not gone.exists()


def test_a_lake_that_nobody_wrote_to_has_nothing_to_remove(tmp_path: Path) -> None:
    assert expire(tmp_path / "none", kept_for(400), NOW) == 0


def test_a_buckets_rules_are_the_same() -> None:
    rules = (PROJECT / "infra/aws/modules/storage/main.tf").read_text("utf-8")
    assert re.findall(r"for root in \[(.*?)\]", rules) == [", ".join(f'"{root}"' for root in OF_RUNS)]
    assert re.findall(r"\{ (\w+) = (\d+) \}", rules) == [(UNFINISHED, str(UNFINISHED_KEPT.days))]
    (days,) = re.findall(r"keep_days = (\d+)", (PROJECT / "settings.toml").read_text("utf-8"))
    for place in ("infra/aws/variables.tf", "infra/aws/modules/storage/variables.tf"):
        (declared,) = re.findall(
            r'"run_retention_days" \{.*?default\s+= (\d+)', (PROJECT / place).read_text("utf-8"), re.DOTALL
        )
        assert declared == days
