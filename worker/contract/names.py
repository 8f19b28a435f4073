"""Names both sides agree on: task queues, workflow types, messages, search attributes.

Functions start workflows by these names and never import workflow code, so a rename here is a change
of the published language: running workflows keep the name they were started with.
"""

from enum import StrEnum


class Queue(StrEnum):
    """Task queues. One worker process polls all of them unless its settings name a subset."""

    ORDERS = "orders"
    EVENTS = "events"
    USERS = "users"
    RECONCILIATION = "reconciliation"


class WorkflowType(StrEnum):
    """Workflow type names, as the Temporal server knows them."""

    ORDER = "OrderWorkflow"
    USER = "UserWorkflow"
    PROVIDER_EVENT = "ProviderEventWorkflow"
    RECONCILIATION = "ReconciliationWorkflow"


class OrderMessage(StrEnum):
    """Updates and queries of OrderWorkflow."""

    DELIVER_EVENT = "deliver_event"
    CANCEL = "cancel"
    STATUS = "status"


class UserMessage(StrEnum):
    """Updates and queries of UserWorkflow."""

    CONFIRM = "confirm"
    STATUS = "status"


class SearchAttribute(StrEnum):
    """Custom search attributes; each maps to one Temporal indexed type (see SEARCH_ATTRIBUTE_TYPES)."""

    ORDER_STATE = "OrderState"
    SHOP = "ShopId"
    CUSTOMER = "CustomerId"
    AMOUNT_MINOR = "AmountMinor"
    CURRENCY = "CurrencyCode"
    VERDICT = "Verdict"


SEARCH_ATTRIBUTE_TYPES: dict[SearchAttribute, str] = {
    SearchAttribute.ORDER_STATE: "Keyword",
    SearchAttribute.SHOP: "Keyword",
    SearchAttribute.CUSTOMER: "Keyword",
    SearchAttribute.AMOUNT_MINOR: "Int",
    SearchAttribute.CURRENCY: "Keyword",
    SearchAttribute.VERDICT: "Keyword",
}

FINGERPRINT_MEMO = "fingerprint"
"""Memo key of a started workflow: SHA-256 of the request that started it (same id, other body = 409)."""
