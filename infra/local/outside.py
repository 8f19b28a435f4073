"""Introduces the simulated outside world to the functions: where its webhooks go and how they are signed."""

import asyncio
import json
import urllib.request

from infra.local.layout import HOST, Layout

_PATIENCE = 5.0


async def introduce(layout: Layout) -> None:
    """Tell the simulator the webhook endpoints and the warehouse's secret. Idempotent; raises OSError."""
    base = f"http://{HOST}:{layout.ports['simulator']}/_sim"
    secrets = layout.credentials
    await asyncio.to_thread(_put, f"{base}/warehouse", {"secret": secrets.warehouse_secret})
    if "functions" not in layout.ports:
        return
    signing = {
        "shopify": secrets.shopify_webhook_secret,
        "stripe": secrets.stripe_webhook_secret,
        "warehouse": secrets.warehouse_webhook_secret,
    }
    for source, secret in signing.items():
        endpoint = f"http://{HOST}:{layout.ports['functions']}/webhooks/{source}"
        await asyncio.to_thread(_put, f"{base}/webhooks/{source}", {"url": endpoint, "secret": secret})


def _put(url: str, document: dict[str, str]) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    body = json.dumps(document).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data=body, method="PUT", headers=headers)  # noqa: S310 - always http
    with opener.open(request, timeout=_PATIENCE) as answer:
        answer.read()
