"""The route table: routes.json, written once and read by the app and by the gateway's deployment.

`auth` says what opens a route: `bearer` (an API key, checked before the function runs), `signature` (a signed
webhook) and `token` (a mailed secret) are checked by the function itself, `none` is public. An `operator` route is for
people who run the shop: a gateway can be told to let only them through (settings: api.operator_auth).
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

TABLE = Path(__file__).with_name("routes.json")


class Auth(StrEnum):
    """What opens a route."""

    BEARER = "bearer"
    SIGNATURE = "signature"
    TOKEN = "token"  # noqa: S105 - the kind of a check, not a secret
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One line of the table. Path parameters are written `{name}`, as gateways write them."""

    method: str
    path: str
    function: str
    operation: str
    auth: Auth
    operator: bool = False

    @property
    def rule(self) -> str:
        """The path as Flask writes it."""
        return self.path.replace("{", "<").replace("}", ">")


def table() -> tuple[Route, ...]:
    """Return every route. Raises ValueError for an unknown kind of auth."""
    return tuple(Route(**{**line, "auth": Auth(line["auth"])}) for line in json.loads(TABLE.read_text("utf-8")))
