"""Alerts and their notices in MySQL. A notice is written with the change it tells of, and sent afterwards."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update
from sqlalchemy.dialects.mysql import insert as upsert

from worker.domain.alert import Alert, AlertState, Concern
from worker.repositories.alert_tables import ALERT_NOTICES, ALERTS
from worker.repositories.insertion import insert_once
from worker.services.ports import Notice

_INSERT = upsert(ALERTS)
_SAVE = _INSERT.on_duplicate_key_update(
    {
        column.name: _INSERT.inserted[column.name]
        for column in ALERTS.columns
        if column.name not in {"alert_id", "rule", "shop", "provider"}
    }
)
_NEWEST = (
    select(ALERTS)
    .where(
        ALERTS.c.shop == bindparam("of_shop"),
        ALERTS.c.provider == bindparam("of_provider"),
        ALERTS.c.rule == bindparam("of_rule"),
    )
    .order_by(ALERTS.c.opened_at.desc())
    .limit(1)
)
_GET = select(ALERTS).where(ALERTS.c.alert_id == bindparam("of_alert"))
_ADD_NOTICE = upsert(ALERT_NOTICES)
_PENDING = (
    select(ALERT_NOTICES)
    .where(ALERT_NOTICES.c.outcome == "pending", ALERT_NOTICES.c.created_at >= bindparam("since"))
    .order_by(ALERT_NOTICES.c.created_at)
)
_FINISH = update(ALERT_NOTICES).where(
    ALERT_NOTICES.c.notice_id == bindparam("of_notice"), ALERT_NOTICES.c.endpoint == bindparam("of_endpoint")
)
_NOTICES = (
    select(ALERT_NOTICES)
    .where(ALERT_NOTICES.c.alert_id == bindparam("of_alert"))
    .order_by(ALERT_NOTICES.c.created_at, ALERT_NOTICES.c.endpoint)
)


class MysqlAlertStore:
    """Implements `AlertStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def newest(self, shop: str, provider: str, rule: str) -> Alert | None:
        """Return the rule's newest alert, or None before the first."""
        key = {"of_shop": shop, "of_provider": provider, "of_rule": rule}
        row = self._connection.execute(_NEWEST, key).one_or_none()
        return None if row is None else _alert(row)

    def save(self, alert: Alert, notices: Sequence[Notice]) -> None:
        """Insert or update an alert, and add what is to be told of it."""
        values = {
            "alert_id": alert.alert_id,
            "rule": alert.rule,
            "shop": alert.shop,
            "provider": alert.provider,
            "state": alert.state.value,
            "opened_at": alert.opened_at,
            "closed_at": alert.closed_at,
            "last_seen_at": alert.last_seen_at,
            "last_notified_at": alert.last_notified_at,
            "notices": alert.notices,
            "subjects": alert.concern.subjects,
            "summary": asdict(alert.concern),
            "standing": list(alert.standing),
        }
        self._connection.execute(_SAVE, values)
        for notice in notices:
            line = {
                "notice_id": notice.notice_id,
                "endpoint": notice.endpoint,
                "alert_id": notice.alert_id,
                "document": dict(notice.document),
                "created_at": notice.created_at,
                "outcome": notice.outcome,
                "detail": notice.detail,
                "finished_at": notice.finished_at,
            }
            insert_once(self._connection, _ADD_NOTICE, line)

    def pending(self, since: datetime) -> list[Notice]:
        """Return the notices that were made since then and are not delivered, oldest first."""
        return [_notice(row) for row in self._connection.execute(_PENDING, {"since": since})]

    def finish(self, notice: Notice) -> None:
        """Note what became of a notice."""
        done = _FINISH.values(outcome=notice.outcome, detail=notice.detail, finished_at=notice.finished_at)
        self._connection.execute(done, {"of_notice": notice.notice_id, "of_endpoint": notice.endpoint})

    def get(self, alert_id: str) -> Alert | None:
        """Return one alert or None."""
        row = self._connection.execute(_GET, {"of_alert": alert_id}).one_or_none()
        return None if row is None else _alert(row)

    def notices(self, alert_id: str) -> list[Notice]:
        """Return the notices of an alert, oldest first."""
        return [_notice(row) for row in self._connection.execute(_NOTICES, {"of_alert": alert_id})]

    def listed(self, state: str | None, limit: int) -> list[Alert]:
        """Return the newest alerts, newest first."""
        statement = select(ALERTS) if state is None else select(ALERTS).where(ALERTS.c.state == state)
        newest = statement.order_by(ALERTS.c.opened_at.desc(), ALERTS.c.alert_id.desc()).limit(limit)
        return [_alert(row) for row in self._connection.execute(newest)]


def _alert(row: Row[Any]) -> Alert:
    summary = row.summary
    return Alert(
        alert_id=row.alert_id,
        rule=row.rule,
        shop=row.shop,
        provider=row.provider,
        state=AlertState(row.state),
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        last_seen_at=row.last_seen_at,
        last_notified_at=row.last_notified_at,
        notices=row.notices,
        standing=tuple(row.standing or ()),
        concern=Concern(**{**summary, "top": tuple(summary["top"]), "reasons": tuple(summary["reasons"])}),
    )


def _notice(row: Row[Any]) -> Notice:
    return Notice(
        notice_id=row.notice_id,
        endpoint=row.endpoint,
        alert_id=row.alert_id,
        document=row.document,
        created_at=row.created_at,
        outcome=row.outcome,
        detail=row.detail,
        finished_at=row.finished_at,
    )
