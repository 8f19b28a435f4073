"""Messages of the event process: one workflow per webhook, whoever sent it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEvent:
    """Input of ProviderEventWorkflow: a webhook whose signature was verified, or its stand-in by a repair.

    `body` is the raw JSON text exactly as it was signed; translation is the worker's, versioned with it.
    """

    source: str
    """Name of the source in settings (`shopify`, `stripe`, `warehouse`, ...)."""
    dialect: str
    """How to read the body: `shopify`, `stripe` or `warehouse`."""
    shop: str
    event_id: str
    topic: str
    body: str
    received_at: str
    origin: str = "webhook"
    """`webhook`, `repair` or `replay`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventResult:
    """Result of ProviderEventWorkflow."""

    outcome: str
    """`applied`, `duplicate`, `ignored`, `late` or `unmatched`."""
    workflow_id: str | None = None
    detail: str = ""
