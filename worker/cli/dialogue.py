"""How commands reach Temporal and note what people did: everything heavy is loaded when it is used, not for --help."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

if TYPE_CHECKING:
    from temporalio.client import Client

    from worker.config import WorkerConfig

T = TypeVar("T")
PATIENCE_SECONDS = 8.0
"""How long somebody who typed a command waits for the Temporal server: a restart is bridged, an outage is told."""


def ask(config: "WorkerConfig", work: "Callable[[Client], Awaitable[T]]") -> T:
    """Connect to Temporal, do `work` with the client, return what it returns. Raises ProviderUnavailable."""
    import asyncio

    async def go() -> T:
        from worker.temporal.client import connect
        from worker.temporal.codec import converter_of

        converter = converter_of(config.encryption)
        return await work(await connect(config.temporal, converter, patience_seconds=PATIENCE_SECONDS))

    return asyncio.run(go())


def record(config: "WorkerConfig", action: str, subject: str, *, actor: str, reason: str, **more: Any) -> None:
    """Note in the audit trail of the settings' shop what somebody did to `subject`, and why.

    Raises DatabaseUnavailable, so that what is to be done is not done without its entry.
    """
    from worker.connections import reading
    from worker.gateways.clock import SystemClock
    from worker.services.deeds import note_deed

    with reading(config) as database:
        note_deed(database, SystemClock(), config.shop.name, action, subject, actor=actor, reason=reason, **more)


def workflow_link(config: "WorkerConfig", workflow_id: str) -> str:
    """Return where the Temporal UI shows a workflow; empty without temporal.ui_url."""
    if not config.temporal.ui_url:
        return ""
    base = f"{config.temporal.ui_url.rstrip('/')}/namespaces/{quote(config.temporal.namespace, safe='')}"
    return f"{base}/workflows/{quote(workflow_id, safe='')}"
