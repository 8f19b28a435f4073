"""The benchmark of reconciliation runs, checks what was found, and says what it promises to say; not how fast it is."""

import json
import subprocess
import sys

import pytest

from tests.bench.reconciliation.books import require_same
from tests.bench.reconciliation.figures import DOCUMENTED, TARGETS
from tests.bench.reconciliation.program import BenchError
from worker.contract.settings import ROOT

ABOUT = {"bench", "orders", "harm", "quick", "cores", "python", "missed"}


@pytest.mark.skipif(sys.platform != "linux", reason="it reads CPU times as Linux counts them")
def test_engine_and_sql_find_what_was_made_and_all_is_told() -> None:
    """Two of the parts: the peers are fetched from a registry, and would cost more time than they prove."""
    command = [sys.executable, "-m", "tests.bench", "reconciliation", "--quick", "--orders", "3000"]
    parts = ["--part", "floor", "--part", "ours", "--part", "sql"]
    done = subprocess.run([*command, *parts], cwd=ROOT, capture_output=True, text=True, check=False, timeout=170)
    assert done.returncode == 0, done.stderr
    *shown, last = done.stdout.splitlines()
    figures = json.loads(last)
    named = ("floor_", "ours_", "sql_")
    expected = [
        name for name in DOCUMENTED if name.startswith(named) and "datacompy" not in name and "reladiff" not in name
    ]
    assert set(figures) == ABOUT | set(expected)
    assert (figures["bench"], figures["orders"], figures["quick"]) == ("reconciliation", 3000, True)
    assert all(figures[name] > 0 for name in expected if name.endswith(("_seconds", "_mb", "_to_sql")))
    assert figures["missed"] == [target.figure for target in TARGETS if target.missed(figures)]
    assert [line.split()[0] for line in shown[: len(expected)]] == expected


WANTED: set[tuple[object, ...]] = {("order/1", "EUR", "amount_under", 500, 400)}
MORE: tuple[object, ...] = ("order/2", "EUR", "disputed", 1, 0)
OTHER: tuple[object, ...] = ("order/1", "EUR", "amount_under", 500, 401)


@pytest.mark.parametrize("found", [set(), {OTHER}, {*WANTED, MORE}], ids=["nothing", "wrong", "too much"])
def test_a_result_that_is_not_what_was_made_is_no_result(found: set[tuple[object, ...]]) -> None:
    require_same("SQL", set(WANTED), WANTED)
    with pytest.raises(BenchError, match="SQL is wrong"):
        require_same("SQL", found, WANTED)


def test_books_in_which_nothing_is_wrong_prove_nothing() -> None:
    with pytest.raises(BenchError, match="take more orders"):
        require_same("SQL", set(), set())
