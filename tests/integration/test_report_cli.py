"""`orders reconcile report` on a real database: where reports are, written again, and the index of runs that end at once."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from tests.integration.own_database import migrated_database
from tests.integration.test_breaks_cli import SECRETS
from tests.unit.reports_sample import FINDINGS, RUN, STATEMENTS, worded
from worker.cli.main import cli
from worker.domain.errors import InvalidInput, NotFound
from worker.gateways.folder_store import FolderStore
from worker.reports.writer import ReportFiles
from worker.repositories.database import MysqlDatabase
from worker.services.ports import Run
from worker.services.reporting import ReportingService


@pytest.fixture(scope="module")
def shared(database_url: str) -> Iterator[Engine]:
    with migrated_database(database_url) as engine:
        yield engine


@pytest.fixture
def store(shared: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that the settings name as the object store; they name the database as well."""
    monkeypatch.setenv("ORDERS_DATABASE__URL", shared.url.render_as_string(hide_password=False))
    monkeypatch.setenv("ORDERS_STORE__PATH", str(tmp_path))
    for name in SECRETS:
        monkeypatch.setenv(f"ORDERS_{name}", "x" * 40)
    return tmp_path


def report(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(cli, ["reconcile", "report", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done


def ended(engine: Engine, name: str, hours: int = 0) -> Run:
    """Store a run that has ended, without its report."""
    later = timedelta(hours=hours)
    run = replace(
        RUN,
        run_id=name,
        window_start=RUN.window_start + later,
        window_end=RUN.window_end + later,
        started_at=RUN.started_at + later,
        finished_at=(RUN.finished_at or RUN.started_at) + later,
    )
    database = MysqlDatabase(engine)
    database.transact(lambda tx: tx.runs.begin(replace(run, finished_at=None, verdict="", counts=None)))
    database.transact(lambda tx: tx.runs.finish(run, STATEMENTS, map(worded, FINDINGS)))
    return run


def listed(store: Path) -> set[str]:
    return set(re.findall(r'data-run="([^"]+)"', (store / "reports" / "index.html").read_text()))


def test_a_report_is_written_again_from_the_database_with_the_index_beside_it(shared: Engine, store: Path) -> None:
    ended(shared, "again")
    with pytest.raises(NotFound, match="has no report"):
        report("again")
    with pytest.raises(NotFound, match="--index --rewrite"):
        report("--index")
    page = Path(report("again", "--rewrite").output.strip())
    assert page == store / "reports/main/stripe/again/report.html"
    first = page.read_bytes()
    assert report("again").output.strip() == str(page)
    assert Path(report("--index").output.strip()) == store / "reports" / "index.html"
    assert "again" in listed(store)
    report("again", "--rewrite")
    assert page.read_bytes() == first, "the same run gives the same bytes"
    for broken in ((), ("again", "--index")):
        assert "name a run, or ask for the --index" in report(*broken, code=2).output


def test_the_index_is_written_again_whole(shared: Engine, store: Path) -> None:
    ended(shared, "whole", hours=1)
    (store / "reports" / "months").mkdir(parents=True)
    (store / "reports" / "months" / "2026-11.html").write_text("stale")
    report("--index", "--rewrite")
    assert "whole" in listed(store)
    assert "whole" in (store / "reports" / "months" / "2026-11.html").read_text()


def test_runs_that_end_at_once_are_all_in_the_index(shared: Engine, store: Path) -> None:
    names = [f"at-once-{number}" for number in range(6)]
    for number, name in enumerate(names):
        ended(shared, name, hours=number)
    database = MysqlDatabase(shared)
    with ThreadPoolExecutor(len(names)) as several:
        done = several.map(lambda name: ReportingService(database, ReportFiles(FolderStore(store))).write(name), names)
        paths = list(done)
    assert set(names) <= listed(store)
    text = (store / "reports" / "index.html").read_text()
    assert all(f'href="{path.removeprefix("reports/")}"' in text for path in paths)


def test_a_bucket_is_not_opened_but_said_how_to_be_read(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.exists()
    monkeypatch.setenv("ORDERS_STORE__BUCKET", "orders-files")
    with pytest.raises(InvalidInput, match="aws s3 sync s3://orders-files/reports"):
        report("--index", "--open")
