"""The same receiver as an asynchronous program: FastAPI on uvicorn, with no thread between a request and its start.

`python -m tests.bench.ingress.fastapi_twin PORT ADDRESS`. It checks the same signature with the same code, reads the same
strict JSON, starts the same workflow within the same deadline, and writes the same line. It has none of the rest
(admission, problem documents, metrics, traces, rotation), so it is the cheaper of the two by construction.
"""

import asyncio
import logging
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from functions import logs
from functions.body import parse_json
from functions.config import LoggingConfig
from functions.signatures import SCHEMES, Clock, Verified
from tests.bench.ingress.sealing import sealing_converter
from tests.integration.served_functions import STRIPE_SECRET
from worker.contract.events import ProviderEvent
from worker.contract.ids import event_workflow_id, fingerprint
from worker.contract.names import FINGERPRINT_MEMO, Queue, Urgency, WorkflowType

SOURCE = "stripe"
SCHEME = SCHEMES[SOURCE]
KEYS = [SCHEME.key("whsec_older"), SCHEME.key(STRIPE_SECRET)]
LARGEST = 262144
DEADLINE_SECONDS = 2.5

_log = logging.getLogger("functions.access")


@asynccontextmanager
async def _connected(app: FastAPI) -> AsyncIterator[None]:
    app.state.client = await Client.connect(sys.argv[2], lazy=True, data_converter=sealing_converter())
    yield


app = FastAPI(lifespan=_connected)


@app.get("/health/live")
async def live() -> dict[str, str]:
    return {"status": "live"}


@app.post("/webhooks/stripe")
async def receive(request: Request) -> JSONResponse:
    began = time.perf_counter()
    raw = await request.body()
    if len(raw) > LARGEST:
        raise HTTPException(413)
    if not isinstance(SCHEME.verify(request.headers, raw, KEYS, Clock(int(time.time()), 300)), Verified):
        raise HTTPException(401)
    event: dict[str, Any] = parse_json(raw)
    event_id, topic = event["id"], event["type"]
    workflow_id = event_workflow_id(SOURCE, event_id)
    async with asyncio.timeout(DEADLINE_SECONDS):
        await request.app.state.client.start_workflow(
            str(WorkflowType.PROVIDER_EVENT),
            ProviderEvent(
                source=SOURCE,
                dialect=SOURCE,
                shop="main",
                event_id=event_id,
                topic=topic,
                body=raw.decode("utf-8"),
                received_at=datetime.now(UTC).isoformat(),
            ),
            id=workflow_id,
            task_queue=str(Queue.EVENTS),
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            memo={FINGERPRINT_MEMO: fingerprint(raw)},
            static_summary=f"{SOURCE} {topic}",
            priority=Priority(priority_key=int(Urgency.EVENT), fairness_key="main"),
        )
    request_id = uuid.uuid4().hex
    fields = {
        "request_id": request_id,
        "method": "POST",
        "status": 202,
        "ms": round((time.perf_counter() - began) * 1000, 1),
        "route": "/webhooks/{source}",
        "source": SOURCE,
        "topic": topic,
        "event_id": event_id,
        "outcome": "accepted",
    }
    _log.info("request", extra={"fields": fields})
    answer = {"workflow_id": workflow_id, "event_id": event_id, "status": "accepted"}
    return JSONResponse(answer, 202, {"X-Request-Id": request_id})


if __name__ == "__main__":
    logs.configure(LoggingConfig(level="INFO", json=True))
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="warning")
