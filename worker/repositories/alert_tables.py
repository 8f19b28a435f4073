"""The tables of alerts; see schema.py for what holds of all tables."""

from sqlalchemy import JSON, Column, ForeignKeyConstraint, Index, Integer, String, Text

from worker.repositories.columns import ID, PROVIDER, SHOP, WORD, key, required, table
from worker.repositories.times import UtcDateTime

ALERTS = table(
    "alerts",
    key("alert_id", WORD),
    required("rule", ID),
    required("shop", SHOP),
    required("provider", PROVIDER),
    required("state", WORD),
    required("opened_at", UtcDateTime),
    Column("closed_at", UtcDateTime),
    required("last_seen_at", UtcDateTime),
    Column("last_notified_at", UtcDateTime),
    required("notices", Integer),
    required("subjects", Integer),
    required("summary", JSON),
    Column("standing", JSON),
    Index("alerts_by_rule", "shop", "provider", "rule", "opened_at"),
    Index("alerts_by_state", "state", "opened_at", "alert_id"),
    Index("alerts_by_time", "opened_at", "alert_id"),
)

ALERT_NOTICES = table(
    "alert_notices",
    key("notice_id", String(64)),
    key("endpoint", ID),
    required("alert_id", WORD),
    required("document", JSON),
    required("created_at", UtcDateTime),
    required("outcome", WORD),
    required("detail", Text),
    Column("finished_at", UtcDateTime),
    Index("alert_notices_by_alert", "alert_id", "created_at"),
    Index("alert_notices_by_outcome", "outcome", "created_at"),
    ForeignKeyConstraint(["alert_id"], ["alerts.alert_id"], name="alert_notices_of_alert"),
)
