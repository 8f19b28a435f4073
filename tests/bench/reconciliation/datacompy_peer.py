"""datacompy on polars. Program of the peers' environment: DATABASE_URL SERVER_PID STATEMENT.

Loading is what it takes to have both sides as frames in memory: CSV by polars, the database by ConnectorX, the fastest
there is for that. It pairs rows by one column, so movements are named by payment or refund.
"""

import sys

import datacompy
import polars as pl

from tests.bench.reconciliation.spent import Spent

_BOOKS = (
    "SELECT CASE kind WHEN 'capture' THEN payment_reference ELSE reference END AS name, amount_minor, currency "
    "FROM book_entries WHERE shop = 'main' AND provider = 'stripe'"
)
_COLUMNS = ["payment_intent_id", "source_id", "reporting_category", "gross", "currency"]


def main(url: str, server: str, statement: str) -> None:
    """Load and compare."""
    spent = Spent(int(server))
    with spent.step("load"):
        books = pl.read_database_uri(_BOOKS, url, engine="connectorx")
        lines = pl.read_csv(
            statement,
            columns=_COLUMNS,
            schema_overrides=dict.fromkeys(_COLUMNS, pl.String) | {"gross": pl.Float64},
        )
        power = pl.col("currency").replace_strict({"jpy": 1, "kwd": 1000}, default=100)
        lines = lines.filter(pl.col("reporting_category").is_in(["charge", "refund"])).select(
            pl.when(pl.col("reporting_category") == "charge")
            .then(pl.col("payment_intent_id"))
            .otherwise(pl.col("source_id"))
            .alias("name"),
            (pl.col("gross") * power).round().cast(pl.Int64).alias("amount_minor"),
            pl.col("currency").str.to_uppercase(),
        )
    with spent.step("compare"):
        compared = datacompy.PolarsCompare(books, lines, join_columns="name", df1_name="books", df2_name="stripe")
        compared.report()
    apart = compared.all_mismatch().height + compared.df1_unq_rows.height + compared.df2_unq_rows.height
    spent.tell(apart=apart)


if __name__ == "__main__":
    main(*sys.argv[1:])
