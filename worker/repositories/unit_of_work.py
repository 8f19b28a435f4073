"""What happened so far in one transaction, kept beside its connection.

The engine's events and its connections write it, so it is right whatever the work does with exceptions. Of answers there is
no event: a listener after each statement makes SQLAlchemy prepare each of them for listeners, before and after.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.interfaces import ExceptionContext

from worker.repositories.connection import AttentiveConnection
from worker.repositories.failures import is_expected_duplicate

_OPTION = "unit_of_work"


@dataclass(slots=True)
class UnitOfWork:
    """Progress of one transaction."""

    wire: AttentiveConnection
    spoilt: bool = False
    """A statement has failed: nothing of this transaction may be committed."""

    @property
    def answered(self) -> bool:
        """Whether a statement has succeeded: then the connection was alive."""
        return self.wire.answered


def begin_unit(connection: Connection) -> UnitOfWork:
    """Attach a fresh unit of work to `connection` and return it."""
    wire: object = connection.connection.dbapi_connection
    assert isinstance(wire, AttentiveConnection), "an engine is made by `make_engine`"
    wire.answered = False
    unit = UnitOfWork(wire)
    connection.execution_options(**{_OPTION: unit})
    return unit


def watch(engine: Engine) -> None:
    """Keep every unit of work of `engine` up to date."""
    event.listen(engine, "handle_error", _failed)


def _unit(connection: Connection | None) -> UnitOfWork | None:
    unit = None if connection is None else connection.get_execution_options().get(_OPTION)
    return unit if isinstance(unit, UnitOfWork) else None


def _failed(context: ExceptionContext) -> None:
    unit = _unit(context.connection)
    # After a lock wait (1205) MySQL keeps what was done before and would commit half of the work.
    if unit is not None and not is_expected_duplicate(context.sqlalchemy_exception):
        unit.spoilt = True
