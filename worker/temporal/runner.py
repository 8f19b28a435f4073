"""How workflows run in a worker: without the SDK's sandbox, and without asking them what need not be asked.

The sandbox imports a workflow's module anew for each order and guards every import and built-in meanwhile, in all threads:
a fifth of what a worker spends on an order. What it refuses is refused before a release instead (infra/docs/decisions/0026):
the tests run and replay every path of every workflow within it, and read the workflows for what it would not let through.

To seal or open one payload the SDK asks its workflow several times what the payload belongs to. The answer matters to the
users' own keys only (worker.temporal.codec), so it is made once, and of users' workflows alone asked for.
"""

from typing import Any

from temporalio import workflow
from temporalio.converter import SerializationContext, StorageDriverStoreContext, WorkflowSerializationContext
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner

from worker.contract.ids import user_of

_STORED_NOWHERE = StorageDriverStoreContext(target=None)


def workflow_runner() -> WorkflowRunner:
    """Return what runs workflows in workers."""
    return _Runner()


class _Runner(UnsandboxedWorkflowRunner):
    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _Instance(super().create_instance(det), det.info)


class _Instance(WorkflowInstance):
    """A workflow, for which is answered what is known outside of it."""

    def __init__(self, workflow_itself: WorkflowInstance, info: workflow.Info) -> None:
        self._workflow = workflow_itself
        self._context: WorkflowSerializationContext | None = None
        if user_of(info.workflow_id) is None:
            self._context = WorkflowSerializationContext(namespace=info.namespace, workflow_id=info.workflow_id)

    def activate(self, act: Any) -> Any:
        return self._workflow.activate(act)

    def get_serialization_context(self, command_info: Any) -> SerializationContext | None:
        """Return what a payload belongs to: to the workflow itself, where no key depends on the activity."""
        return self._context or self._workflow.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:  # noqa: ARG002 - the SDK's signature
        """Return where a payload would be stored outside of Temporal, which none is."""
        return _STORED_NOWHERE

    def get_info(self) -> workflow.Info:
        return self._workflow.get_info()

    def get_thread_id(self) -> int | None:
        return self._workflow.get_thread_id()
