"""What stories type (tests/e2e/forked_commands.py) is what an operator types: to start the program is no different."""

import pytest

from tests.e2e import forked_commands
from tests.e2e.scene import Scene, fresh


@pytest.mark.parametrize("found", [True, False], ids=["an answer", "a refusal"])
async def test_a_started_command_says_the_same(scene: Scene, found: bool) -> None:
    order_id = fresh()
    if found:
        await scene.order(order_id=order_id)
        await scene.completes(order_id)
    layout, words = scene.stack.stack.layout, ("order", "show", order_id, "--json")
    forked = await forked_commands.run(layout, words, seconds=60, env={})
    started = await forked_commands.started(layout, words, seconds=60, env={})
    assert forked == started
    assert (forked.status, order_id in forked.out) == ((0, True) if found else (5, False))
