"""The doubles are activities of the same names and signatures as the real ones: tests with them prove something."""

import inspect
from typing import Any, get_type_hints

import pytest
from temporalio.activity import _Definition

from tests.workflows import doubles
from tests.workflows.outbound_doubles import OutboundDoubles
from worker.activities.alerts import AlertActivities
from worker.activities.closing import ClosingActivities
from worker.activities.events import EventActivities
from worker.activities.journal import JournalActivities
from worker.activities.line_cancelling import LineActivities
from worker.activities.orders import OrderActivities
from worker.activities.outbound import OutboundActivities
from worker.activities.readdressing import ReaddressingActivities
from worker.activities.reconciliation import ReconciliationActivities
from worker.activities.resolution import ResolutionActivities
from worker.activities.users import UserActivities

PAIRS = [
    ((OrderActivities, JournalActivities, LineActivities, ReaddressingActivities), doubles.OrderDoubles),
    ((EventActivities,), doubles.EventDoubles),
    ((ResolutionActivities,), doubles.ResolutionDoubles),
    ((UserActivities,), doubles.UserDoubles),
    ((OutboundActivities,), OutboundDoubles),
    ((ReconciliationActivities, ClosingActivities, AlertActivities), doubles.ReconciliationDoubles),
]


def signatures(cls: type) -> dict[str, dict[str, Any]]:
    found = {}
    for _, method in inspect.getmembers(cls, inspect.isfunction):
        definition = _Definition.from_callable(method)
        if definition is not None and definition.name is not None:
            found[definition.name] = get_type_hints(method)
    return found


@pytest.mark.parametrize(("real", "double"), PAIRS)
def test_doubles_have_the_names_and_types_of_the_real_activities(real: tuple[type, ...], double: type) -> None:
    expected = {name: types for cls in real for name, types in signatures(cls).items()}
    assert len(expected) >= len(real)
    assert signatures(double) == expected
