from collections.abc import Iterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from tests.integration.own_database import at_once, empty_database, engine_of
from worker.domain.errors import DatabaseUnavailable, SchemaMismatch
from worker.repositories import migrate, schema_version
from worker.repositories.database import MysqlDatabase
from worker.repositories.schema import METADATA


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    with empty_database(database_url) as url:
        engine = engine_of(url)
        yield engine
        engine.dispose()


def definitions(engine: Engine) -> dict[str, list[str]]:
    """The lines of each table's definition; sorted, since the order of keys means nothing."""
    with engine.connect() as connection:
        return {
            name: sorted(
                line.strip().rstrip(",")
                for line in connection.execute(text(f"SHOW CREATE TABLE {name}")).one()[1].splitlines()
            )
            for name in METADATA.tables
        }


def run_sql(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_upgrade_makes_exactly_the_tables_the_code_sees(engine: Engine, database_url: str) -> None:
    migrate.upgrade(engine)
    with empty_database(database_url) as url:
        other = engine_of(url)
        METADATA.create_all(other)
        expected = definitions(other)
        other.dispose()
    assert definitions(engine) == expected


def test_autogenerate_finds_nothing_to_do(engine: Engine) -> None:
    migrate.upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": schema_version.VERSION_TABLE})
        assert compare_metadata(context, METADATA) == []


def test_upgrade_is_idempotent_and_says_what_it_did(engine: Engine) -> None:
    assert MysqlDatabase(engine).schema_version() is None
    assert migrate.upgrade(engine) == (None, schema_version.head())
    assert migrate.upgrade(engine) == (schema_version.head(), schema_version.head())
    assert MysqlDatabase(engine).schema_version() == schema_version.head()
    schema_version.check(engine)


def test_four_upgrades_at_once_do_it_once(engine: Engine) -> None:
    results = at_once(4, lambda _: migrate.upgrade(engine))
    assert sorted(before or "" for before, _ in results) == ["", *[schema_version.head()] * 3]
    assert {after for _, after in results} == {schema_version.head()}


def test_an_upgrade_cut_off_halfway_is_finished_by_the_next(engine: Engine) -> None:
    migrate.upgrade(engine)
    whole = definitions(engine)
    run_sql(
        engine,
        "DROP TABLE run_findings, statement_lines, shipments",
        "DELETE FROM schema_version",
    )
    assert migrate.upgrade(engine) == (None, schema_version.head())
    assert definitions(engine) == whole


def test_an_older_database_is_refused(engine: Engine) -> None:
    with pytest.raises(SchemaMismatch, match="orders db migrate"):
        schema_version.check(engine)


def test_a_newer_database_is_used_with_a_warning_and_left_alone(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    migrate.upgrade(engine)
    run_sql(engine, "UPDATE schema_version SET version_num = '9999'")
    schema_version.check(engine)
    assert [record.message for record in caplog.records] == ["the database is newer than this code"]
    assert migrate.upgrade(engine) == ("9999", "9999")
    assert MysqlDatabase(engine).schema_version() == "9999"


def test_a_version_that_no_release_can_have_is_refused_and_left_alone(engine: Engine) -> None:
    migrate.upgrade(engine)
    for version in ("a1b2c3d4e5f6", "0000", "0003x", "12345"):
        run_sql(engine, f"UPDATE schema_version SET version_num = '{version}'")  # noqa: S608 - ours
        for work in (schema_version.check, migrate.upgrade):
            with pytest.raises(SchemaMismatch, match="made by something else"):
                work(engine)
        assert MysqlDatabase(engine).schema_version() == version


def test_a_held_lock_is_waited_for_then_reported(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "LOCK_POLLS", 2)
    monkeypatch.setattr(migrate, "LOCK_POLL_SECONDS", 0)
    with engine.connect() as holder:
        name = migrate._lock_name(holder)
        assert holder.execute(text("SELECT GET_LOCK(:name, 0)"), {"name": name}).scalar_one() == 1
        with pytest.raises(DatabaseUnavailable, match="another migration"):
            migrate.upgrade(engine)
        holder.invalidate()
    migrate.upgrade(engine)


def test_a_missing_table_reads_as_a_schema_mismatch(engine: Engine) -> None:
    database = MysqlDatabase(engine)
    with pytest.raises(SchemaMismatch, match="1146"):
        database.transact(lambda tx: tx.orders.get("main", "1"))


def test_versions_are_numbers_in_one_line() -> None:
    scripts: list[Any] = list(ScriptDirectory.from_config(migrate._configuration()).walk_revisions())
    assert [script.revision for script in reversed(scripts)] == [f"{n:04}" for n in range(1, len(scripts) + 1)]
    assert all(not script.is_branch_point for script in scripts)
    assert schema_version.head() == scripts[0].revision
    assert not any(schema_version.is_newer(script.revision) for script in scripts)
