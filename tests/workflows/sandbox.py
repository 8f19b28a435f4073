"""The SDK's sandbox, in which the tests run and replay workflows: a worker runs them without (worker.temporal.runner)."""

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

PASSED_THROUGH = ("worker.contract", "worker.domain", "worker.services", "worker.activities")
"""Packages the sandbox shares with workflows instead of importing them anew for each: they hold no state and do no I/O."""


def sandbox() -> SandboxedWorkflowRunner:
    """Return what refuses a workflow the clock, chance and the world."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH))
