"""Random days on the running shop, drawn from seeds: at the end all books agree, or what was done to them is reported.

`python -m tests.chaos.books --minutes N` walks for longer, stops more, and cuts a failing script down.
"""

import asyncio

import pytest

from tests.chaos.ending import ended
from tests.chaos.script import HEAVY, LIGHT, script
from tests.chaos.walk import Walk
from tests.e2e.scene import Scene


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_three_walks_at_once_leave_books_that_agree(scene: Scene) -> None:
    stopping = asyncio.Lock()
    walks = [Walk(scene=scene, stopping=stopping) for _ in range(3)]
    weights = [LIGHT, LIGHT, LIGHT | {"kill_worker": 6}]
    scripts = [script(seed, 13, weight) for seed, weight in enumerate(weights, start=1)]
    await asyncio.gather(*(walk.through(steps) for walk, steps in zip(walks, scripts, strict=True)))
    outcomes = await ended(scene, walks)
    told = "\n".join(line for walk in walks for line in walk.log)
    assert outcomes.whole, f"{outcomes}\n{told}"
    assert outcomes.orders_accepted >= 9
    assert outcomes.faults_injected >= 6


def test_a_seed_is_one_script() -> None:
    assert script(5, 40, HEAVY) == script(5, 40, HEAVY)
    assert script(5, 40, HEAVY) != script(6, 40, HEAVY)
    assert {step.name for seed in range(20) for step in script(seed, 40, HEAVY)} == set(HEAVY)
