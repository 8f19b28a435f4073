"""Refusals of the provider, in the shape its API gives them."""

from infra.local.simulator.store import Document

_DOCS = "https://stripe.com/docs/error-codes/"


class ProviderRefusal(Exception):
    """An answer that is an error: HTTP `status` and the fields of its `error` object. Nothing was changed."""

    def __init__(self, status: int, kind: str, message: str, **fields: str | Document | None) -> None:
        super().__init__(message)
        self.status = status
        self.fields: Document = {"type": kind, "message": message}
        self.fields.update({name: value for name, value in fields.items() if value is not None})
        if "code" in self.fields:
            self.fields["doc_url"] = _DOCS + str(self.fields["code"]).replace("_", "-")

    def body(self) -> Document:
        """Return the JSON body of the answer."""
        return {"error": self.fields}


class CardRefused(ProviderRefusal):
    """The card's issuer said no (402). Unlike other refusals this is an outcome: the failed charge is on the books."""

    def __init__(self, message: str, **fields: str | Document | None) -> None:
        super().__init__(402, "card_error", message, **fields)


def invalid(
    message: str, *, param: str | None = None, code: str | None = None, intent: Document | None = None
) -> ProviderRefusal:
    """Return a 400 `invalid_request_error`."""
    return ProviderRefusal(400, "invalid_request_error", message, param=param, code=code, payment_intent=intent)


def missing(kind: str, object_id: str, *, param: str = "id", status: int = 404) -> ProviderRefusal:
    """Return `No such ...`: 404 for the object itself, 400 when a parameter names it."""
    return ProviderRefusal(
        status, "invalid_request_error", f"No such {kind}: '{object_id[:80]}'", param=param, code="resource_missing"
    )
