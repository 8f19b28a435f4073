"""`orders breaks` and `orders audit` as an accountant uses them, on a real database."""

import csv
import getpass
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, text

from tests.integration.own_database import migrated_database
from tests.integration.test_repositories_runs import action, followed
from worker.cli.main import cli
from worker.domain.errors import Conflict
from worker.domain.finding import Repair
from worker.repositories.database import MysqlDatabase

SECRETS = ("PROVIDER__API_KEY", "SHOP__ACCESS_TOKEN", "USERS__TOKEN_KEY", "WAREHOUSE__SECRET", "WAREHOUSE__TOKEN")


@pytest.fixture(scope="module")
def shared(database_url: str) -> Iterator[Engine]:
    with migrated_database(database_url) as engine:
        yield engine


@pytest.fixture
def engine(shared: Engine, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The settings name this database, and a shop that no other test has."""
    monkeypatch.setenv("ORDERS_DATABASE__URL", shared.url.render_as_string(hide_password=False))
    monkeypatch.setenv("ORDERS_SHOP__NAME", shop_of(request))
    for name in SECRETS:
        monkeypatch.setenv(f"ORDERS_{name}", "x" * 40)
    monkeypatch.setenv("ORDERS_ACTOR", "alice")
    return shared


@pytest.fixture
def ids(engine: Engine, request: pytest.FixtureRequest) -> list[str]:
    """Three open breaks."""
    items = [followed(shop_of(request), number, 1000 - number) for number in range(3)]
    for item in items:
        MysqlDatabase(engine).transact(lambda tx, item=item: tx.breaks.save(item, action("found")))  # type: ignore[misc]
    return [item.break_id for item in items]


def shop_of(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)[:60]


def orders(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(cli, list(arguments))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done


def document(*arguments: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(orders(*arguments, "--json", code=code).stdout)
    return found


def listed(*arguments: str, code: int = 1) -> list[str]:
    return [one["break_id"] for one in json.loads(orders("breaks", "list", *arguments, "--json", code=code).stdout)]


def test_breaks_are_handed_out_remarked_settled_and_taken_back(ids: list[str]) -> None:
    orders("breaks", "assign", ids[0], ids[1], "--to", "bob", "--reason", "knows the bank", "--yes")
    assert listed("--owner", "bob") == ids[:2]
    assert listed("--owner", "") == ids[2:]
    orders("breaks", "comment", ids[0], "--reason", "asked [the] bank", "--yes", "--actor", "bob")
    orders("breaks", "link", ids[0], "--to", ids[1], "--reason", "two halves", "--yes")
    orders("breaks", "resolve", f"break/{ids[0]}", "--reason", "written off", "--yes")
    orders("breaks", "ignore", ids[1], "--reason", "until it is paid", "--until", "2099-01-01", "--yes")
    assert listed("--status", "settled", code=0) == ids[:2]
    assert listed("--status", "ignored", code=0) == ids[1:2]
    shown = orders("breaks", "show", ids[0]).output
    for words in ("resolved by alice", "written off", "owner: bob", f"linked to break/{ids[1]}", "asked [the] bank"):
        assert words in shown
    assert "ignored by alice until 2099-01-01 00:00:00" in orders("breaks", "list", "--status", "all", code=1).output
    orders("breaks", "reopen", ids[0], "--reason", "it was paid after all", "--yes")
    assert listed() == [ids[0], ids[2]]


def test_nothing_happens_without_a_word_or_in_a_dry_run(ids: list[str]) -> None:
    before = document("audit", "verify")
    asked = orders("breaks", "resolve", ids[0], "--reason", "x", code=2)
    assert "--yes" in asked.output
    (would,) = json.loads(orders("breaks", "resolve", ids[0], "--reason", "x", "--dry-run", "--json").stdout)
    assert would["break"]["status"] == "resolved"
    assert document("audit", "verify") == before
    assert listed() == ids


def test_a_refusal_says_all_that_is_wrong_and_does_nothing(ids: list[str]) -> None:
    with pytest.raises(Conflict, match=f"nothing was done: break {ids[0]}: action: it is open; .*nobody.*there is no"):
        orders("breaks", "reopen", ids[0], "nobody", "--reason", "x", "--yes")
    orders("breaks", "resolve", ids[0], "--yes", code=2)
    orders("breaks", "list", "--status", "unheard-of", code=2)


def test_who_acts_is_said_or_the_user_of_the_system(ids: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def actor() -> str:
        entries = json.loads(orders("audit", "list", "--subject", f"break/{ids[0]}", "--limit", "1", "--json").stdout)
        return str(entries[0]["actor"])

    remark = ("breaks", "comment", ids[0], "--reason", "x", "--yes")
    orders(*remark, "--actor", "carol")
    assert actor() == "carol"
    orders(*remark)
    assert actor() == "alice"
    monkeypatch.delenv("ORDERS_ACTOR")
    monkeypatch.setattr(getpass, "getuser", lambda: "dave")
    orders(*remark)
    assert actor() == "dave"
    with pytest.raises(Conflict, match="the engine's own name"):
        orders(*remark, "--actor", "reconciliation")


def test_a_sheet_is_exported_filled_in_looked_at_applied_and_applied_once(ids: list[str], tmp_path: Path) -> None:
    file = tmp_path / "breaks.csv"
    orders("breaks", "export", "--csv", str(file))
    assert file.read_bytes() == orders("breaks", "export").stdout_bytes
    with file.open(encoding="utf-8-sig", newline="") as exported:
        rows = list(csv.DictReader(exported))
    assert [row["break"] for row in rows] == [f"break/{name}" for name in ids]
    rows[0] |= {"action": "resolve", "reason": "written off"}
    rows[1] |= {"action": "ignore", "reason": "later", "until": "1999-01-01", "actor": "bob"}

    def fill() -> None:
        with file.open("w", encoding="utf-8", newline="") as filled:
            writer = csv.DictWriter(filled, rows[0], delimiter=";")
            writer.writeheader()
            writer.writerows(rows)

    fill()
    wrong = document("breaks", "import", str(file), "--apply", code=5)
    assert wrong["applied"] is False
    (problem,) = wrong["problems"]
    assert (problem["line"], problem["column"], problem["break_id"]) == (3, "until", ids[1])
    assert listed() == ids
    rows[1]["until"] = "2099-01-01"
    fill()
    looked = orders("breaks", "import", str(file))
    assert "2 to do, 0 done before, 1 without an action" in looked.output
    assert listed() == ids
    orders("breaks", "import", str(file), "--apply")
    assert listed() == ids[2:]
    head = document("audit", "verify")
    assert "0 to do, 2 done before" in orders("breaks", "import", str(file), "--apply").output
    assert document("audit", "verify") == head
    entries = json.loads(orders("audit", "list", "--actor", "bob", "--json").stdout)
    assert [one["detail"]["reason"] for one in entries] == ["later"]
    assert "imported by alice" in entries[0]["detail"]["detail"]
    rows[0]["reason"] = "another reason"
    fill()
    assert "changed since the export" in orders("breaks", "import", str(file), "--apply", code=5).output


def test_the_trail_is_proved_by_a_head_kept_elsewhere(
    ids: list[str], engine: Engine, request: pytest.FixtureRequest
) -> None:
    orders("breaks", "comment", ids[0], "--reason", "before", "--yes")
    noted: dict[str, Any] = document("audit", "verify")["head"]
    orders("breaks", "comment", ids[0], "--reason", "after", "--yes")
    expected = ("audit", "verify", "--expect-head", str(noted["hash"]), "--at", str(noted["sequence"]))
    assert "is whole: 5 entries" in orders(*expected).output
    orders("audit", "verify", "--at", "3", code=2)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE audit_trail SET actor = 'mallory' WHERE shop = :shop AND sequence = 4"),
            {"shop": shop_of(request)},
        )
    broken = orders(*expected, code=5)
    assert "broken at entry 4" in broken.output
    assert "mallory commented" in broken.output
    fault = document("audit", "verify", code=5)["fault"]
    assert isinstance(fault, dict)
    assert fault["sequence"] == 4


@pytest.mark.parametrize("verb", ["assign", "comment", "resolve", "ignore", "reopen", "link", "export"])
def test_the_help_warns_of_personal_data(verb: str) -> None:
    said = " ".join(orders("breaks", verb, "--help").output.split())
    assert "stays in the audit trail for good: no names, addresses or other data of customers" in said


def test_a_repair_that_the_settings_forbid_is_said_to_be_nobody_s(
    engine: Engine, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = followed(shop_of(request), 1)
    item = replace(base, finding=replace(base.finding, repair=Repair.DELIVER_REFUND))
    MysqlDatabase(engine).transact(lambda tx: tx.breaks.save(item, action("found")))
    assert "the next run repairs what the policy allows" in orders("breaks", "show", item.break_id).output
    monkeypatch.setenv("ORDERS_RECONCILIATION__REPAIRS__DELIVER_REFUND__MODE", "off")
    shown = orders("breaks", "show", item.break_id).output
    assert "nobody does it: reconciliation.repairs.deliver_refund is off" in shown
    assert "the next run repairs" not in shown
