"""The settings of the members, as the environment variables that override settings.toml.

Each process gets what it needs: the functions hold neither the database's password nor a key that moves money.
"""

import json
import os
from collections.abc import Mapping

from infra.local import pids
from infra.local.layout import HOST, Layout

_WORKER_ONLY = (
    "ORDERS_DATABASE__",
    "ORDERS_PROVIDER__",
    "ORDERS_SHOP__",
    "ORDERS_WAREHOUSE__",
    "ORDERS_USERS__",
    "ORDERS_MAIL__",
    "ORDERS_ALERTING__",
    "ORDERS_ALERTS__",
    "ORDERS_OUTBOUND",
)
_REDIRECTING = ("ORDERS_", "TEMPORAL_", "GUNICORN_", "MYSQL_")
CODEC_TOKEN = "CODEC_TOKEN"
"""Variable of the codec server's token; not an argument, for arguments are seen by all."""
_FUNCTIONS_ONLY = ("ORDERS_API__", "ORDERS_WEBHOOKS__")


def settings_of(layout: Layout) -> dict[str, str]:
    """Return every ORDERS_ variable of the stack: what the command line needs to work on it."""
    secrets, ports = layout.credentials, layout.ports
    env = {
        "ORDERS_ENV": "local",
        "ORDERS_STORE__PATH": str(layout.store),
        "ORDERS_TRACING__FILE": str(layout.spans),
        "ORDERS_PROVIDER__API_KEY": secrets.provider_key,
        "ORDERS_SHOP__ACCESS_TOKEN": secrets.shop_token,
        "ORDERS_WAREHOUSE__SECRET": secrets.warehouse_secret,
        "ORDERS_WAREHOUSE__TOKEN": secrets.warehouse_token,
        "ORDERS_USERS__TOKEN_KEY": secrets.user_token_key,
        "ORDERS_ENCRYPTION__KEYS": json.dumps([{"id": "local", "key": secrets.payload_key}]),
        "ORDERS_API__KEYS": json.dumps({"demo": secrets.api_key_sha256}),
        "ORDERS_WEBHOOKS__SHOPIFY__SECRETS": json.dumps([secrets.shopify_webhook_secret]),
        "ORDERS_WEBHOOKS__STRIPE__SECRETS": json.dumps([secrets.stripe_webhook_secret]),
        "ORDERS_WEBHOOKS__WAREHOUSE__SECRETS": json.dumps([secrets.warehouse_webhook_secret]),
    }
    if "temporal" in ports:
        env["ORDERS_TEMPORAL__ADDRESS"] = layout.temporal_address
    if "temporal_ui" in ports:
        env["ORDERS_TEMPORAL__UI_URL"] = f"http://{HOST}:{ports['temporal_ui']}"
    if "mariadb" in ports or layout.given_database_url is not None:
        env["ORDERS_DATABASE__URL"] = layout.database_url
    if "simulator" in ports:
        outside = f"http://{HOST}:{ports['simulator']}"
        env["ORDERS_PROVIDER__API_BASE"] = f"http://{HOST}:{layout.port('simulator', 'provider')}/stripe"
        env["ORDERS_SHOP__API_BASE"] = f"{outside}/shopify"
        env["ORDERS_WAREHOUSE__API_BASE"] = f"{outside}/warehouse"
        hook = {"url": f"{outside}/hooks/alerts", "secrets": [secrets.alert_webhook_secret]}
        env["ORDERS_ALERTING__ENDPOINTS"] = json.dumps({"ops": hook, "finance": {"mail": "finance@shop.example"}})
        for rule in ("OPEN_BREAKS", "REPAIR_FAILED", "INCOMPLETE_RUN", "SCHEDULE_MISSED"):
            env[f"ORDERS_ALERTS__{rule}__TO"] = json.dumps(["ops", "finance"])
    if "smtp" in ports:
        env["ORDERS_MAIL__HOST"] = HOST
        env["ORDERS_MAIL__PORT"] = str(ports["smtp"])
    if "functions" in ports:
        users = f"http://{HOST}:{ports['functions']}/users/{{user_id}}"
        env["ORDERS_USERS__CONFIRM_URL"] = f"{users}/confirm"
        env["ORDERS_USERS__ADDRESS_URL"] = f"{users}/address/{{change_id}}/confirm"
    if "worker" in ports:
        env["ORDERS_WORKER__HEALTH_PORT"] = str(ports["worker"])
    return env | layout.extra_env


def for_worker(layout: Layout) -> dict[str, str]:
    """Return the variables of the worker and of database migrations."""
    return _without(settings_of(layout), _FUNCTIONS_ONLY)


def for_codec(layout: Layout) -> dict[str, str]:
    """Return the variables of the codec server: it opens what the worker opens."""
    return for_worker(layout) | {CODEC_TOKEN: layout.credentials.codec_token}


def for_functions(layout: Layout) -> dict[str, str]:
    """Return the variables of the functions."""
    return _without(settings_of(layout), _WORKER_ONLY) | {
        "GUNICORN_BIND": f"{HOST}:{layout.ports['functions']}",
        "GUNICORN_METRICS_BIND": f"{HOST}:{layout.ports['functions_metrics']}",
    }


def of_process(layout: Layout, own: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of a child: the outer one without anything that could redirect it, and `own`."""
    outer = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_REDIRECTING)
        # Compiling every module anew at every start would cost the members seconds.
        and name != "PYTHONDONTWRITEBYTECODE"
    }
    return outer | {"PYTHONUNBUFFERED": "1", pids.MARKER: str(layout.directory)} | dict(own)


def _without(env: Mapping[str, str], prefixes: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in env.items() if not name.startswith(prefixes)}
