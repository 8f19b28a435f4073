"""A receiver of the worker's outgoing webhooks: `POST /hooks/{name}` keeps each delivery, `/_sim/hooks/{name}` lists them.

It takes everything, as the operator's own endpoint would after its checks; faults can be put in front of it.
"""

import json
from typing import Any

from aiohttp import web

from infra.local.simulator import keys
from infra.local.simulator.control import bad_request
from infra.local.simulator.store import Document

HOOKS = "hooks"


def setup(app: web.Application) -> None:
    """Register the routes."""
    app[keys.STORE].declare(HOOKS, "name")
    app.router.add_post("/hooks/{name}", _take)
    app.router.add_get("/_sim/hooks/{name}", _list)


async def _take(request: web.Request) -> web.Response:
    """Keep one delivery. Headers are kept for whoever wants to check the signature."""
    body = (await request.read()).decode()
    try:
        document: Any = json.loads(body)
    except ValueError:
        raise bad_request("the body is not JSON") from None
    store = request.app[keys.STORE]
    with store.transaction():
        hook_id = store.next_id("hook")
        kept: Document = {
            "id": hook_id,
            "name": request.match_info["name"],
            "webhook_id": request.headers.get("webhook-id", ""),
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "body": body,
            "document": document,
            "at": request.app[keys.CLOCK].now().isoformat(),
        }
        store.put(HOOKS, hook_id, kept)
    return web.json_response({"status": "kept"})


async def _list(request: web.Request) -> web.Response:
    """Answer `{"data": [...]}`, oldest first."""
    return web.json_response({"data": request.app[keys.STORE].index(HOOKS, "name", request.match_info["name"])})
