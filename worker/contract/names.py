"""Names both sides agree on: task queues, workflow types, messages, search attributes.

Functions start workflows by these names and never import workflow code, so a rename here is a change
of the published language: running workflows keep the name they were started with.
"""

from enum import IntEnum, StrEnum


class Queue(StrEnum):
    """Task queues. One worker process polls all of them unless its settings name a subset."""

    ORDERS = "orders"
    """Orders, and what is done about them after their end."""
    EVENTS = "events"
    """Webhooks that came in."""
    USERS = "users"
    """Registrations."""
    RECONCILIATION = "reconciliation"
    """Runs: they take memory and time, and can be scaled apart."""
    OUTBOUND = "outbound"
    """Webhooks we send: apart, since endpoints of others may be slow."""


class WorkflowType(StrEnum):
    """Workflow type names, as the Temporal server knows them."""

    ORDER = "OrderWorkflow"
    REFUND = "RefundWorkflow"
    RESOLUTION = "ResolutionWorkflow"
    USER = "UserWorkflow"
    ADDRESS_CHANGE = "AddressChangeWorkflow"
    PROVIDER_EVENT = "ProviderEventWorkflow"
    RECONCILIATION = "ReconciliationWorkflow"
    NOTIFICATION = "NotificationWorkflow"


class OrderMessage(StrEnum):
    """Updates and queries of OrderWorkflow."""

    DELIVER_EVENT = "deliver_event"
    CANCEL = "cancel"
    REFUND = "refund"
    RETRY_PAYMENT = "retry_payment"
    CHANGE_ADDRESS = "change_address"
    CANCEL_LINES = "cancel_lines"
    STATUS = "status"


class NotificationMessage(StrEnum):
    """Signals of NotificationWorkflow."""

    HURRY = "hurry"


class UserMessage(StrEnum):
    """Updates and queries of UserWorkflow; AddressChangeWorkflow has `confirm` and `status`, too."""

    CONFIRM = "confirm"
    RESEND = "resend"
    STATUS = "status"


class Urgency(IntEnum):
    """Temporal's priority of a start, inherited by its activities: where a queue has a backlog, 1 goes first.

    Beside it every start carries its shop as the fairness key, so that one shop's flood does not starve another's
    orders. Servers that know neither ignore both.
    """

    ORDER = 1
    """Somebody waits: an order, a refund."""
    EVENT = 2
    """A webhook: orders wait for it, nobody else does."""
    USER = 3
    """A registration: somebody waits for a mail, which takes its time anyway."""
    BACKGROUND = 4
    """Reconciliation and what it repairs: never before what happens now."""


class SearchAttribute(StrEnum):
    """Custom search attributes; each maps to one Temporal indexed type (see SEARCH_ATTRIBUTE_TYPES)."""

    ORDER_STATE = "OrderState"
    """Where an order stands; its workflow writes it at every step."""
    SHOP = "ShopId"
    """Whose order, event or run it is."""
    CUSTOMER = "CustomerId"
    """The shop's id of who ordered; it must say nothing about a person."""
    AMOUNT_MINOR = "AmountMinor"
    """An order's total, in minor units."""
    CURRENCY = "CurrencyCode"
    """The currency of that amount, as ISO 4217 writes it."""
    VERDICT = "Verdict"
    """What a reconciliation answered."""


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
