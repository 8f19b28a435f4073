"""The SDK's sandbox, in which the tests run and replay workflows: a worker runs them without (worker.temporal.runner)."""

from temporalio import workflow
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

PASSED_THROUGH = ("worker.contract", "worker.domain", "worker.services", "worker.activities")
"""Packages the sandbox shares with workflows instead of importing them anew for each: they hold no state and do no I/O."""

_tried: set[type] = set()
"""Workflows of this process that a sandbox was made for and thrown away, to see whether they can be imported in it."""


class _TriedOnce(SandboxedWorkflowRunner):
    """The sandbox, without importing again for each worker what each run of a workflow imports once more anyway.

    A worker of the tests knows up to all workflows and runs one of them; a replayer knows all for every history.
    """

    def prepare_workflow(self, defn: workflow._Definition) -> None:
        if defn.cls not in _tried:
            super().prepare_workflow(defn)
            _tried.add(defn.cls)


def sandbox() -> SandboxedWorkflowRunner:
    """Return what refuses a workflow the clock, chance and the world."""
    return _TriedOnce(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH))
