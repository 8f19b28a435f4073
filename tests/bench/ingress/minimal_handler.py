"""The least that a Flask handler with the SDK can be: no check, no limit, no log; a start and 202.

Run inside the unpacked bundle's libraries, so that nothing differs but what is ours.
"""

import asyncio
import os
import threading
import uuid

from apig_wsgi import make_lambda_handler
from flask import Flask, request
from temporalio.client import Client

app = Flask("minimal")
loop = asyncio.new_event_loop()
clients: list[Client] = []


async def start(body: str) -> None:
    if not clients:
        clients.append(await Client.connect(os.environ["ORDERS_TEMPORAL__ADDRESS"], lazy=True))
    await clients[0].start_workflow("ProviderEventWorkflow", body, id=str(uuid.uuid4()), task_queue="events")


@app.post("/webhooks/<source>")
def receive(source: str) -> tuple[dict[str, str], int]:
    if not loop.is_running():
        threading.Thread(target=loop.run_forever, daemon=True).start()
    asyncio.run_coroutine_threadsafe(start(request.get_data(as_text=True)), loop).result(2.5)
    return {"source": source}, 202


handler = make_lambda_handler(app)
