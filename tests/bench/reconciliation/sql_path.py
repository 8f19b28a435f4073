"""Comparing in the database: the statement file in by LOAD DATA, then one SQL statement; and the tables reladiff needs.

Program: SERVER_PORT PASSWORD SERVER_PID STATEMENT STEP...; steps are load, classify, by_order.
"""

import csv
import sys
from pathlib import Path

from pymysql.cursors import Cursor

from tests.bench.reconciliation.server import Server
from tests.bench.reconciliation.spent import Spent

_TEXT = "VARCHAR(128) NOT NULL"
_LINES = (
    f"CREATE OR REPLACE TABLE sql_lines (line_id {_TEXT}, kind VARCHAR(32) NOT NULL, currency CHAR(3) NOT NULL, "
    f"gross_minor BIGINT NOT NULL, fee_minor BIGINT NOT NULL, created_at DATETIME(6) NOT NULL, "
    f"payment_reference {_TEXT}, order_id {_TEXT}, source_id {_TEXT}) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
)
_BREAKS = (
    f"CREATE OR REPLACE TABLE sql_breaks (`key` {_TEXT}, currency CHAR(3) NOT NULL, kind VARCHAR(32) NOT NULL, "
    "ours_minor BIGINT NOT NULL, theirs_minor BIGINT NOT NULL) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
)
_MINOR = "CAST(@{} AS DECIMAL(20, 3)) * CASE @currency WHEN 'jpy' THEN 1 WHEN 'kwd' THEN 1000 ELSE 100 END"
_SET = {
    "line_id": "@balance_transaction_id",
    "kind": "@reporting_category",
    "currency": "UPPER(@currency)",
    "gross_minor": _MINOR.format("gross"),
    "fee_minor": _MINOR.format("fee"),
    "created_at": "@created_utc",
    "payment_reference": "@payment_intent_id",
    "order_id": "@order_id",
    "source_id": "@source_id",
}
_BY_ORDER = (
    # A key of numbers, one row a key: reladiff takes no text for a key, and no key twice.
    "CREATE OR REPLACE TABLE peer_{side} (number BIGINT NOT NULL PRIMARY KEY, amount_minor BIGINT NOT NULL, "
    "currency CHAR(3) NOT NULL) AS SELECT CAST({order} AS INTEGER) AS number, CAST(SUM({amount}) AS INTEGER) AS "
    "amount_minor, MIN({of}currency) AS currency FROM {source} GROUP BY {order} HAVING number > 0"
)


def main(port: str, password: str, server: str, statement: str, *steps: str) -> None:
    """Do the steps."""
    spent = Spent(int(server))
    with Server(pid=int(server), port=int(port), password=password).connect() as connection:
        cursor = connection.cursor()
        cursor.execute("SET time_zone = '+00:00'")
        for step in steps:
            with spent.step(step):
                _STEPS[step](cursor, Path(statement))
    spent.tell()


def _load(cursor: Cursor, statement: Path) -> None:
    for table in (_LINES, _BREAKS):
        cursor.execute(table)
    with statement.open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file))
    wanted = {source.removeprefix("@").lower() for source in _SET.values()} | {"currency", "gross", "fee"}
    names = [name.removeprefix("payment_metadata[").removesuffix("]") for name in header]
    places = ", ".join(f"@{name}" if name in wanted else "@unused" for name in names)
    values = ", ".join(f"{column} = COALESCE({value}, '')" for column, value in _SET.items())
    cursor.execute(
        f"LOAD DATA LOCAL INFILE %s INTO TABLE sql_lines CHARACTER SET utf8mb4 FIELDS TERMINATED BY ',' "
        f"OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '' LINES TERMINATED BY '\\n' IGNORE 1 LINES ({places}) SET {values}",
        (str(statement),),
    )


def _classify(cursor: Cursor, _: Path) -> None:
    cursor.execute("TRUNCATE sql_breaks")
    cursor.execute(Path(__file__).with_name("classify.sql").read_text("utf-8"))


def _by_order(cursor: Cursor, _: Path) -> None:
    ours = {"side": "ours", "order": "order_id", "amount": "amount_minor", "of": "", "source": "book_entries"}
    theirs = {
        "side": "theirs",
        "order": "COALESCE(NULLIF(line.order_id, ''), payments.order_id, 0)",
        "amount": "gross_minor",
        "of": "line.",
        "source": "sql_lines AS line LEFT JOIN payments ON line.order_id = '' AND payments.provider = 'stripe' "
        "AND payments.reference = line.payment_reference",
    }
    for side in (ours, theirs):
        cursor.execute(_BY_ORDER.format(**side))


_STEPS = {"load": _load, "classify": _classify, "by_order": _by_order}

if __name__ == "__main__":
    main(*sys.argv[1:])
