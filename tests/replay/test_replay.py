import inspect
import socket
from pathlib import Path
from typing import Any

import pytest
from temporalio.activity import _Definition
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from infra.local.layout import PROJECT
from tests.replay.changed_workflow import ReportFirst
from tests.replay.corpus import FOLDER, RECORD, activities_in, file_of, load, recorded
from tests.replay.paths import PATHS
from tests.replay.sealing import seal_within
from tests.unit.test_sealing import OLD, config
from tests.workflows.sandbox import sandbox
from worker.activities.addresses import AddressActivities
from worker.activities.alerts import AlertActivities
from worker.activities.closing import ClosingActivities
from worker.activities.events import EventActivities
from worker.activities.journal import JournalActivities
from worker.activities.line_cancelling import LineActivities
from worker.activities.orders import OrderActivities
from worker.activities.outbound import OutboundActivities
from worker.activities.readdressing import ReaddressingActivities
from worker.activities.reconciliation import ReconciliationActivities
from worker.activities.refunds import RefundActivities
from worker.activities.resolution import ResolutionActivities
from worker.activities.users import UserActivities
from worker.contract.names import WorkflowType
from worker.domain.errors import OrdersError
from worker.temporal.codec import converter_of
from worker.workflows.address_change import AddressChangeWorkflow
from worker.workflows.notification import NotificationWorkflow
from worker.workflows.order import OrderWorkflow
from worker.workflows.provider_event import ProviderEventWorkflow
from worker.workflows.reconciliation import ReconciliationWorkflow
from worker.workflows.refund import RefundWorkflow
from worker.workflows.resolution import ResolutionWorkflow
from worker.workflows.user import UserWorkflow

WORKFLOWS: list[type[Any]] = [
    AddressChangeWorkflow,
    NotificationWorkflow,
    OrderWorkflow,
    ProviderEventWorkflow,
    ReconciliationWorkflow,
    RefundWorkflow,
    ResolutionWorkflow,
    UserWorkflow,
]
ACTIVITIES = [
    AddressActivities,
    AlertActivities,
    ClosingActivities,
    OrderActivities,
    OutboundActivities,
    EventActivities,
    JournalActivities,
    LineActivities,
    ReaddressingActivities,
    ReconciliationActivities,
    RefundActivities,
    ResolutionActivities,
    UserActivities,
]

STUCK = f"""
This code cannot replay {{name}}: workflows that are running when it is deployed would get stuck.
Keep the old commands for old runs and give new ones the new: `if workflow.patched("what-changed"): ... else: ...`
(remove the old branch once no run from before is open). If no such workflow was ever deployed: {RECORD}
"""


def replayer(name: str, **more: Any) -> Replayer:
    """Return what replays histories of one workflow: each that it knows is imported into the sandbox for each history."""
    known = [workflow for workflow in WORKFLOWS if workflow.__name__ == name]
    return Replayer(workflows=known, workflow_runner=sandbox(), workflow_failure_exception_types=[OrdersError], **more)


@pytest.mark.parametrize("file", recorded(), ids=lambda file: f"{file.parent.name}-{file.stem}")
async def test_recorded_histories_replay(file: Path) -> None:
    result = await replayer(file.parent.name).replay_workflow(load(file), raise_on_replay_failure=False)
    assert result.replay_failure is None, STUCK.format(name=file.relative_to(FOLDER)) + str(result.replay_failure)


@pytest.mark.parametrize("workflow", sorted(WorkflowType))
async def test_sealed_they_replay_as_well(workflow: WorkflowType) -> None:
    """The corpus is in clear, so that people can read it: what is sealed differs in nothing that a workflow sees."""
    converter = converter_of(config(("k1", OLD), accept_clear=False))
    history = load(min((FOLDER / workflow).glob("*.json")))
    await seal_within(history.events, converter)
    knowing = replayer(workflow, data_converter=converter)
    assert (await knowing.replay_workflow(history, raise_on_replay_failure=False)).replay_failure is None
    unknowing = await replayer(workflow).replay_workflow(history, raise_on_replay_failure=False)
    assert unknowing.replay_failure is not None


def test_every_path_of_every_workflow_is_recorded() -> None:
    assert set(PATHS) == set(WorkflowType)
    missing = [
        f"{workflow}/{path}"
        for workflow, walks in PATHS.items()
        for path in walks
        if not file_of(workflow, path).exists()
    ]
    assert not missing, f"not recorded yet, use `{RECORD}`: {missing}"


def test_the_histories_reach_every_activity() -> None:
    names = {
        definition.name
        for activities in ACTIVITIES
        for _, method in inspect.getmembers(activities, inspect.isfunction)
        if (definition := _Definition.from_callable(method)) is not None
    }
    assert len(names) > 15
    assert set().union(*(activities_in(load(file)) for file in recorded())) == names


async def test_a_change_of_the_order_of_commands_is_detected() -> None:
    careless = Replayer(workflows=[ReportFirst], workflow_runner=sandbox())
    with pytest.raises(NondeterminismError, match=r"write_report|compare_books"):
        await careless.replay_workflow(load(file_of(WorkflowType.RECONCILIATION, "compared_whole_reconciled")))


def test_the_histories_tell_nothing_of_the_machine_that_recorded_them() -> None:
    for file in recorded():
        text = file.read_text(encoding="utf-8")
        assert "stackTrace" not in text, file
        assert str(PROJECT) not in text, file
        assert socket.gethostname() not in text, file
