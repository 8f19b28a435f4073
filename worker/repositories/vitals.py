"""What a database server says of itself: who it is, and what time it has."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from worker.repositories.failures import translate


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """The server's version, and its clock (UTC)."""

    version: str
    now: datetime


def vitals(engine: Engine) -> Vitals:
    """Ask the server. Raises DatabaseUnavailable."""
    try:
        with engine.connect() as connection:
            version, now = connection.execute(text("SELECT VERSION(), UTC_TIMESTAMP(6)")).one()
    except SQLAlchemyError as error:
        raise translate(error) from error
    return Vitals(version=str(version), now=now.replace(tzinfo=UTC))
