"""How workflows run: in the SDK's sandbox, without asking it what need not be asked.

Our own pure packages are passed through (imported once, shared), since they hold no state and do no I/O. To seal or open
one payload the SDK asks its workflow several times what the payload belongs to, and every question enters the sandbox:
a quarter of the time that the event loop of a worker spent on orders. The answer matters to the users' own keys only
(worker.temporal.codec), so it is asked of users' workflows alone.
"""

from typing import Any

from temporalio import workflow
from temporalio.converter import SerializationContext, StorageDriverStoreContext, WorkflowSerializationContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from worker.contract.ids import user_of

PASSED_THROUGH = ("worker.contract", "worker.domain", "worker.services", "worker.activities")
"""Packages the sandbox shares with workflows instead of importing them anew for each."""

_STORED_NOWHERE = StorageDriverStoreContext(target=None)


def workflow_runner() -> SandboxedWorkflowRunner:
    """Return what runs workflows, in workers and in replays."""
    return _Runner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH))


class _Runner(SandboxedWorkflowRunner):
    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _Instance(super().create_instance(det), det.info)


class _Instance(WorkflowInstance):
    """A workflow in its sandbox, which answers for it what is known outside."""

    def __init__(self, sandboxed: WorkflowInstance, info: workflow.Info) -> None:
        self._sandboxed = sandboxed
        self._context: WorkflowSerializationContext | None = None
        if user_of(info.workflow_id) is None:
            self._context = WorkflowSerializationContext(namespace=info.namespace, workflow_id=info.workflow_id)

    def activate(self, act: Any) -> Any:
        return self._sandboxed.activate(act)

    def get_serialization_context(self, command_info: Any) -> SerializationContext | None:
        """Return what a payload belongs to: to the workflow itself, where no key depends on the activity."""
        return self._context or self._sandboxed.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:  # noqa: ARG002 - the SDK's signature
        """Return where a payload would be stored outside of Temporal, which none is."""
        return _STORED_NOWHERE

    def get_info(self) -> workflow.Info:
        return self._sandboxed.get_info()

    def get_thread_id(self) -> int | None:
        return self._sandboxed.get_thread_id()
