"""Who moved the schema of books that were there already, and why, stands in their trail; a first one has nobody to tell."""

from collections.abc import Iterator

import pytest

from tests.integration.own_database import migrated_database
from tests.unit.test_settings import SECRETS
from worker.cli import main
from worker.domain.audit import AuditEntry
from worker.repositories import migrate
from worker.repositories.database import MysqlDatabase
from worker.repositories.engine import Engine
from worker.repositories.schema_version import head


@pytest.fixture
def engine(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    with migrated_database(database_url) as engine:
        url = engine.url.render_as_string(hide_password=False)
        for name, value in {**SECRETS, "ORDERS_ENV": "test", "ORDERS_DATABASE__URL": url}.items():
            monkeypatch.setenv(name, value)
        yield engine


def trail(engine: Engine) -> list[AuditEntry]:
    return MysqlDatabase(engine).transact(
        lambda tx: tx.audit.listed("main", subject=None, actor=None, action=None, limit=10)
    )


@pytest.mark.parametrize(("before", "told"), [("0001", 1), (None, 0), (head(), 0)])
def test_a_migration_is_told_where_there_was_something_to_migrate(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, before: str | None, told: int
) -> None:
    monkeypatch.setattr(migrate, "upgrade", lambda _: (before, head()))
    assert main.exit_code(["db", "migrate", "--actor", "anna", "--reason", "the release of May"]) == 0
    entries = trail(engine)
    assert len(entries) == told
    for entry in entries:
        assert (entry.record.actor, entry.record.subject) == ("anna", f"schema/{head()}")
        assert entry.record.detail == '{"before":"0001","reason":"the release of May"}'
