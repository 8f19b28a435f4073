import difflib
import json

import pytest

from tests.replay.corpus import RECORD
from tests.replay.fingerprint import BASELINE, Fingerprints, baseline, fingerprints, read

CHANGED = f"""
The commands of a workflow changed. A run that began under the old code and goes on under the new one would replay
other commands than its history holds, and get stuck. So:

1. Runs of the old code may exist: keep their commands, and give new runs the new ones:
       if workflow.patched("ship-before-mail"):
           ...new commands...
       else:
           ...the commands as they were...
   `python -m pytest tests/replay` must replay the old histories; add a path to tests/replay for the new.
2. The change cannot be met by a running workflow (a new message, a path nobody was on): say so in the commit.

Then refresh {BASELINE.name} (and, if the old ones may go, the histories): {RECORD}

"""

SOURCE = """
from temporalio import workflow

@workflow.defn
class Ship:
    @workflow.run
    async def run(self, order):
        parcel = await workflow.execute_activity_method(ParcelActivities.pack, order, summary="pack")
        await self._send(parcel)
        await _pause()
        await workflow.wait_condition(lambda: self.done)

    @workflow.query
    def status(self):
        return self._text()

    async def _send(self, parcel):
        await workflow.execute_activity_method(ParcelActivities.send, parcel)

    def _text(self):
        return "on its way"

async def _pause():
    await workflow.sleep(5)
"""


def test_the_commands_of_every_workflow_are_the_committed_ones() -> None:
    found, committed = fingerprints(), baseline()
    assert found == committed, CHANGED + difference(committed, found)


def test_the_fingerprint_follows_commands_through_own_methods_and_nothing_else() -> None:
    assert read(SOURCE) == {
        "Ship": {
            "_pause": ["workflow.sleep()"],
            "_send": ["workflow.execute_activity_method(ParcelActivities.send)"],
            "run": ["workflow.execute_activity_method(ParcelActivities.pack)", "self._send()", "_pause()"],
        }
    }


def test_it_follows_commands_that_are_left_to_another_class() -> None:
    sender = """
class Sender:
    async def send(self, parcel):
        await workflow.execute_activity_method(ParcelActivities.send, parcel)

    def weight(self):
        return 3
"""
    ship = """
@workflow.defn
class Ship:
    @workflow.run
    async def run(self, order):
        self.sender.weight()
        await self.sender.send(order)
"""
    assert read(ship, sender) == {
        "Sender": {"send": ["workflow.execute_activity_method(ParcelActivities.send)"]},
        "Ship": {"run": ["self.sender.send()"]},
    }


def test_it_follows_commands_through_one_class_to_another() -> None:
    asking = """
class Asking:
    async def ask(self, question):
        await workflow.execute_activity_method(question)
"""
    paying = """
class Paying(Asking):
    async def settle(self):
        await self.ask(Activities.price)
"""
    ship = """
@workflow.defn
class Ship(Paying):
    @workflow.run
    async def run(self, order):
        await self.settle()
"""
    assert read(ship, paying, asking)["Ship"] == {"run": ["self.settle()"]}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ParcelActivities.pack", "ParcelActivities.wrap"),
        (
            "        await self._send(parcel)\n        await _pause()\n",
            "        await _pause()\n        await self._send(parcel)\n",
        ),
        ("lambda: self.done", "lambda: self.done, timeout=5"),
        ("        await _pause()\n", "        if workflow.patched('no-pause'):\n            await _pause()\n"),
        ("execute_activity_method(ParcelActivities.send", "execute_local_activity_method(ParcelActivities.send"),
    ],
)
def test_a_changed_command_changes_the_fingerprint(old: str, new: str) -> None:
    assert old in SOURCE
    assert read(SOURCE.replace(old, new)) != read(SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("parcel", "box"),
        ('summary="pack"', 'summary="pack it"'),
        ('"on its way"', '"gone"'),
        ("sleep(5)", "sleep(delay)"),
    ],
)
def test_other_changes_do_not(old: str, new: str) -> None:
    assert old in SOURCE
    assert read(SOURCE.replace(old, new)) == read(SOURCE)


def difference(committed: Fingerprints, found: Fingerprints) -> str:
    """Return what changed, line by line."""
    before, after = (json.dumps(item, indent=2, sort_keys=True).splitlines() for item in (committed, found))
    return "\n".join(difflib.unified_diff(before, after, "committed", "found", lineterm=""))
