"""Times in MySQL: DATETIME(6), always UTC. Naive values are refused, aware ones converted, read ones are aware."""

from datetime import UTC, datetime

from sqlalchemy.dialects.mysql import DATETIME
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DontWrapMixin
from sqlalchemy.types import TypeDecorator

from worker.domain.errors import InvalidInput


class NaiveTime(InvalidInput, DontWrapMixin):
    """A time without a zone was about to be stored or compared; it could mean any of two dozen moments."""


class UtcDateTime(TypeDecorator[datetime]):
    """Column type of every time. Microseconds are kept; a zone other than UTC is converted. Raises NaiveTime."""

    impl = DATETIME(fsp=6)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return what the driver sends: the UTC wall time, without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise NaiveTime("a time for the database needs a zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the stored time, aware, in UTC."""
        return None if value is None else value.replace(tzinfo=UTC)
