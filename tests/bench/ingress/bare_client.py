"""The measure of all others: the SDK's client on one event loop, starting the same workflows and nothing else.

`python -m tests.bench.ingress.bare_client ADDRESS IN_FLIGHT SECONDS` prints one JSON object: starts, seconds,
CPU seconds.
"""

import asyncio
import json
import os
import sys
import time
from datetime import UTC, datetime

from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from tests.bench.ingress.deliveries import SOURCE, TOPIC, body, event_ids
from tests.bench.ingress.sealing import sealing_converter
from worker.contract.events import ProviderEvent
from worker.contract.ids import event_workflow_id, fingerprint
from worker.contract.names import FINGERPRINT_MEMO, Queue, Urgency, WorkflowType

WARM_UP = 50


async def start(client: Client, event_id: str) -> None:
    """Start what the functions start for a delivery with this id."""
    raw = body(event_id)
    await client.start_workflow(
        str(WorkflowType.PROVIDER_EVENT),
        ProviderEvent(
            source=SOURCE,
            dialect=SOURCE,
            shop="main",
            event_id=event_id,
            topic=TOPIC,
            body=raw.decode("utf-8"),
            received_at=datetime.now(UTC).isoformat(),
        ),
        id=event_workflow_id(SOURCE, event_id),
        task_queue=str(Queue.EVENTS),
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
        memo={FINGERPRINT_MEMO: fingerprint(raw)},
        static_summary=f"{SOURCE} {TOPIC}",
        priority=Priority(priority_key=int(Urgency.EVENT), fairness_key="main"),
    )


async def main(address: str, in_flight: int, seconds: float) -> dict[str, float]:
    """Keep `in_flight` starts under way for `seconds`."""
    client = await Client.connect(address, data_converter=sealing_converter())
    ids = event_ids()
    for _ in range(WARM_UP):
        await start(client, next(ids))
    starts = 0
    began, used = time.monotonic(), time.process_time()

    async def keep_starting() -> None:
        nonlocal starts
        while time.monotonic() < began + seconds:
            await start(client, next(ids))
            starts += 1

    await asyncio.gather(*(keep_starting() for _ in range(in_flight)))
    return {
        "starts": starts,
        "seconds": time.monotonic() - began,
        "cpu_seconds": time.process_time() - used,
        "sent": starts + WARM_UP,
    }


if __name__ == "__main__":
    _, to, at_once, long = sys.argv
    sys.stdout.write(json.dumps(asyncio.run(main(to, int(at_once), float(long)))) + "\n")
    sys.stdout.flush()
    os._exit(0)  # threads of the Temporal client outlive the loop, and now and then crash an interpreter that ends
