"""The tables of breaks, what was done about them, and their repairs; see schema.py for what holds of all tables."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)

from worker.repositories.columns import CURRENCY, ID, OUTSIDE, PROVIDER, SHOP, WORD, key, required, table
from worker.repositories.times import UtcDateTime

BREAKS = table(
    "breaks",
    key("break_id", WORD),
    required("shop", SHOP),
    required("provider", PROVIDER),
    required("status", WORD),
    required("leg", WORD),
    required("kind", WORD),
    required("currency", CURRENCY),
    required("order_id", OUTSIDE),
    required("at_risk_minor", BigInteger),
    required("first_seen_at", UtcDateTime),
    required("last_seen_at", UtcDateTime),
    required("first_movement_at", UtcDateTime),
    required("runs_seen", Integer),
    required("repair_state", WORD),
    Column("resolved_at", UtcDateTime),
    required("resolution", Text),
    required("finding", JSON),
    required("owner", String(128), server_default=""),
    required("settled_as", WORD, server_default=""),
    required("settled_by", String(128), server_default=""),
    Column("settled_at", UtcDateTime),
    Column("ignored_until", UtcDateTime),
    Column("links", JSON(none_as_null=True)),
    required("revision", Integer, server_default="0"),
    Index("breaks_by_lapse", "shop", "provider", "ignored_until"),
    required("repair_attempts", Integer, server_default="0"),
    Column("repair_next_at", UtcDateTime),
    required("repair_round", Integer, server_default="1"),
    Index("breaks_by_status", "shop", "provider", "status", "first_seen_at"),
    Index("breaks_by_shop_risk", "shop", "at_risk_minor", "break_id"),
    Index("breaks_by_risk", "at_risk_minor", "break_id"),
    # As `breaks_by_risk`: what is asked for is sorted by it. An id is of few shops, so the shop needs no place here.
    Index("breaks_by_order", "order_id", "at_risk_minor", "break_id"),
)

BREAK_ACTIONS = table(
    "break_actions",
    Column("action_id", BigInteger, primary_key=True, autoincrement=True),
    required("break_id", WORD),
    required("happened_at", UtcDateTime),
    required("actor", String(255)),
    required("action", WORD),
    required("run_id", ID),
    required("detail", Text),
    # Written by releases before schema 0002; the place that the action got in the audit trail.
    Column("audit_sequence", BigInteger),
    Index("break_actions_by_break", "break_id", "action_id"),
    Index("break_actions_by_place", "audit_sequence", "action_id"),
    ForeignKeyConstraint(["break_id"], ["breaks.break_id"], name="break_actions_of_break"),
)

REPAIR_ATTEMPTS = table(
    "repair_attempts",
    Column("break_id", WORD, ForeignKey("breaks.break_id", name="repair_attempts_of_break"), primary_key=True),
    key("attempt", Integer),
    required("round", Integer),
    required("repair", WORD),
    required("run_id", ID),
    required("event_id", ID),
    required("claimed_at", UtcDateTime),
    required("next_at", UtcDateTime),
    required("outcome", WORD),
    required("detail", Text),
    Column("finished_at", UtcDateTime),
    UniqueConstraint("event_id", name="repair_attempts_once"),
    Index("repair_attempts_by_run", "run_id", "outcome"),
)
