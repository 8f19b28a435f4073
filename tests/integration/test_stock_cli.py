"""`orders stock` as somebody in the warehouse uses it, on a real database."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, text

from tests.integration.hammered_stock import Shopper, kept
from tests.integration.own_database import migrated_database
from tests.integration.test_breaks_cli import SECRETS
from worker.cli.main import cli
from worker.domain.errors import InvalidInput


@pytest.fixture(scope="module")
def engine(database_url: str) -> Iterator[Engine]:
    with migrated_database(database_url) as engine:
        yield engine


@pytest.fixture(autouse=True)
def _settings(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_DATABASE__URL", engine.url.render_as_string(hide_password=False))
    for name in SECRETS:
        monkeypatch.setenv(f"ORDERS_{name}", "x" * 40)
    monkeypatch.setenv("ORDERS_ACTOR", "kim")
    monkeypatch.setenv("ORDERS_STOCK__MAIN", "refuse")


def stock(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(cli, ["stock", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done


def document(*arguments: str, code: int = 0) -> Any:
    return json.loads(stock(*arguments, "--json", code=code).stdout)


def test_stock_is_counted_adjusted_shown_and_proved(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    told = stock("set", "mug", "10", "--reason", "stock-take", "--dry-run").stdout
    assert told == "would be: SKU mug: 0 -> 10 on hand, 0 -> 10 available\n"
    assert document("list") == []
    stock("set", "mug", "10", "--reason", "stock-take")
    delivered = ("adjust", "mug", "--by=5", "--reason", "delivery", "--reference", "note-7")
    assert [document(*delivered)["after"]["available"] for _ in range(2)] == [15, 15]
    stock("adjust", "mug", "--by=-1", "--reason", "broken", "--actor", "lee")
    Shopper(kept(engine)).place("order-1", {"mug": 4})

    assert document("list") == [{"shop": "main", "sku": "mug", "available": 10, "reserved": 4, "shipped": 0}]
    assert document("list", "--at-most", "9") == []
    shown = document("show", "mug")
    assert shown["reserved_for"] == {"order-1": 4}
    assert [(m["kind"], m["available_change"], m["actor"], m["reason"]) for m in shown["movements"]] == [
        ("reserved", -4, "order workflow", ""),
        ("adjusted", -1, "lee", "broken"),
        ("adjusted", 5, "kim", "delivery"),
        ("counted", 10, "kim", "stock-take"),
    ]
    assert "order-1" in stock("show", "mug").stdout
    with pytest.raises(InvalidInput, match="cancel those that cannot be served first"):
        stock("set", "mug", "3", "--reason", "stock-take")

    assert stock("check").stdout == "stock of main: every level is the sum of its movements\n"
    with engine.begin() as connection:
        connection.execute(text("UPDATE stock_levels SET available = 12"))
    (wrong,) = document("check", code=1)
    assert (wrong["sku"], wrong["what"][:25]) == ("mug", "the level is 12 available")
    monkeypatch.delenv("ORDERS_STOCK__MAIN")
    assert "keep no stock for main" in stock("list").stderr
