"""Make books: `python -m infra.local.books --orders 1000000 --harm 3000 --into FOLDER [--database URL]`.

Writes stripe.csv, items.parquet, entries.parquet and expected.parquet, fills the database where one is named, and says
what it did; the last line is one JSON object.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from infra.local.books.bulk import bulk
from infra.local.books.database import TABLES, load
from infra.local.books.plan import Plan

FILES = {
    "statement": "stripe.csv",
    "items": "items.parquet",
    "entries": "entries.parquet",
    "expected": "expected.parquet",
}


def main(arguments: list[str] | None = None) -> int:
    """Make the books and print what was made."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.books", description="Make books of any size.")
    parser.add_argument("--orders", type=int, default=100_000, help="how many orders (default: %(default)s)")
    parser.add_argument(
        "--days", type=int, default=30, help="over how many days they are placed (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="same seed, same books (default: %(default)s)")
    parser.add_argument(
        "--harm", type=int, default=0, help="about how many of a million orders are harmed (default: none)"
    )
    parser.add_argument("--into", type=Path, required=True, help="folder for the files; made where it is missing")
    parser.add_argument("--database", default="", help="URL of an empty, migrated database to fill as well")
    parser.add_argument(
        "--files", nargs="*", choices=FILES, default=[*FILES], help="which files (default: all of them)"
    )
    parser.add_argument(
        "--tables", nargs="*", choices=TABLES, default=[*TABLES], help="which tables are filled (default: all of them)"
    )
    parser.add_argument("--memory", default="1GB", help="DuckDB's limit; more goes to disk (default: %(default)s)")
    wish = parser.parse_args(arguments)
    wish.into.mkdir(parents=True, exist_ok=True)
    plan = Plan(size=wish.orders, seed=wish.seed, days=wish.days)
    told: dict[str, object] = {"orders": plan.size, "end": plan.end.isoformat()}
    began = time.monotonic()

    def say(what: str, rows: int) -> None:
        told[what] = rows
        print(f"{time.monotonic() - began:7.1f} s  {what}: {rows:,} rows", file=sys.stderr, flush=True)

    with bulk(plan, harm=wish.harm, directory=wish.into, memory=wish.memory) as books:
        say("stories", books.count("stories"))
        for relation in wish.files:
            books.write(relation, wish.into / FILES[relation])
            say(FILES[relation], books.count(relation))
        if wish.database:
            for table, rows in load(wish.database, books, tables=tuple(wish.tables), directory=wish.into).items():
                say(table, rows)
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
