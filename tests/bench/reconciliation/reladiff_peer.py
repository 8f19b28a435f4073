"""reladiff between two tables of one database. Program of the peers' environment: DATABASE_URL SERVER_PID join|hash."""

import sys

from reladiff import Algorithm, connect_to_table, diff_tables

from tests.bench.reconciliation.spent import Spent

_ALGORITHMS = {"join": Algorithm.JOINDIFF, "hash": Algorithm.HASHDIFF}
_THREADS = 2


def main(url: str, server: str, algorithm: str) -> None:
    """Compare the sums of each order."""
    spent = Spent(int(server))
    with spent.step("compare"):
        sides = [connect_to_table(url, f"peer_{side}", "number", thread_count=_THREADS) for side in ("ours", "theirs")]
        apart = {
            row[0]
            for _, row in diff_tables(
                *sides,
                extra_columns=("amount_minor", "currency"),
                algorithm=_ALGORITHMS[algorithm],
                max_threadpool_size=_THREADS,
            )
        }
    spent.tell(apart=len(apart))


if __name__ == "__main__":
    main(*sys.argv[1:])
