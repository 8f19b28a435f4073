"""The benchmark of orders runs, its orders end as they should, and it says what it promises to say; not how fast it is."""

import json
import sys

import pytest

from tests.bench.orders.__main__ import Bench, Effort, bare_shapes, report
from tests.bench.orders.figures import DOCUMENTED, TARGETS
from tests.bench.orders.history import anatomy
from tests.e2e.scene import Scene
from tests.replay.corpus import file_of, load

ABOUT = {"bench", "quick", "rounds", "count", "cores", "python", "missed"}
FEW = Effort(rounds=1, count=2, warm_up=0)


@pytest.mark.skipif(sys.platform != "linux", reason="it reads CPU times as Linux counts them")
async def test_orders_and_a_bare_shape_are_measured_and_a_history_is_told(scene: Scene) -> None:
    """On the stack of all stories, where the functions take the parcel's webhook; one bare shape proves both."""
    with bare_shapes(scene.stack.env) as bare:
        bench = Bench(FEW, scene.stack.stack, scene.client, bare)
        await bench.history()
        await bench.rates(("orders", "waiting"))
    *shown, last = report(bench, FEW, quick=True).splitlines()

    figures = json.loads(last)
    expected = [name for name in DOCUMENTED if "normal" not in name and "eager" not in name]
    assert set(figures) == ABOUT | set(expected)
    assert (figures["bench"], figures["quick"], figures["count"]) == ("orders", True, 2)
    assert all(figures[name] > 0 for name in expected if name.endswith(("_rps", "_to_waiting", "_statements")))
    assert figures["missed"] == [target.figure for target in TARGETS if target.missed(figures)]
    words = [line.split()[0] for line in shown if line]
    assert [word for word in words if word in expected] == expected
    rows = [line.split("|") for line in shown if line.startswith("| ")]
    events = [int(row[2]) for row in rows if row[2].strip().isdigit()]
    assert events[-1] == sum(events[:-1]) == figures["history_events"]


def test_each_event_of_a_history_belongs_to_a_step() -> None:
    history = load(file_of("OrderWorkflow", "charged_and_completed"))
    found = anatomy(history)
    assert found.events == len(history.events)
    assert [step for step in found.steps if "_" in step] == [
        "record_order (local)",
        "charge_and_fulfil",
        "update deliver_event",
        "apply_event (local)",
    ]
    assert found.of("ActivityTaskScheduled") == 1
