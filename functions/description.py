"""The API's description of itself: the committed OpenAPI document, as it stands (functions.openapi writes it)."""

from collections.abc import Callable
from pathlib import Path

from flask import Response

DOCUMENT = Path(__file__).with_name("openapi.json")


class Description:
    """The function `description`."""

    def __init__(self) -> None:
        self._document = DOCUMENT.read_bytes()

    def openapi(self) -> Response:
        """GET /openapi.json: The OpenAPI 3.1 document of this API."""
        return Response(self._document, mimetype="application/json")

    @property
    def operations(self) -> dict[str, Callable[..., Response]]:
        """The views by their name in the route table."""
        return {"openapi": self.openapi}
