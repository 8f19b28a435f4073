"""The database as the use cases see it: one unit of work, one transaction.

- Any failed statement spoils its transaction: it is rolled back and its connection discarded, even when the
  work swallowed the error.
- A deadlock (1213) or lock wait (1205) rolls back and runs the work again, a bounded number of times, after a
  jittered pause. A pooled connection found dead by the first statement is replaced once.
- A connection lost during COMMIT leaves the outcome unknown: it is reported, never retried here, and the
  caller's next attempt reads back what is there.
"""

import contextlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from worker.domain.errors import DatabaseUnavailable, OrdersError
from worker.domain.outbound import Subscription
from worker.domain.stock import Unknown
from worker.repositories.failures import DEADLOCK, LOCK_WAIT, error_number, is_disconnect, translate
from worker.repositories.schema_version import current
from worker.repositories.transaction import NO_STOCK, MysqlTransaction
from worker.repositories.unit_of_work import begin_unit
from worker.services.ports import Transaction

T = TypeVar("T")

ATTEMPTS = {DEADLOCK: 6, LOCK_WAIT: 2}
"""How often the work runs at most. A lock wait has already cost its whole time-out, so it gets one more try."""

PAUSE_SECONDS = 0.02
"""Longest pause before the second attempt; doubles with each further one."""

_USED = "used"
_PING = text("SELECT 1")


class MysqlDatabase:
    """Implements `Database`. Thread-safe; one for the process.

    `subscriptions` are told of every change of an order's state: each transaction writes its messages with it, and
    calls `mail` after the commit. It must neither block nor raise, and may be lost with the process. `stocked` are the
    shops that keep stock, with what an SKU without a level means there.
    """

    def __init__(
        self,
        engine: Engine,
        subscriptions: Sequence[Subscription] = (),
        mail: Callable[[], None] = lambda: None,
        stocked: Mapping[str, Unknown] = NO_STOCK,
    ) -> None:
        self._engine = engine
        self._subscriptions = subscriptions
        self._mail = mail
        self._stocked = stocked

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one transaction and commit.

        `work` may run again, so it must have no effect but on its stores. Raises DatabaseUnavailable when
        MySQL is away or keeps rolling the work back, InvalidInput when a value does not fit, Conflict when a
        rule of a table is broken, SchemaMismatch when a table is missing, and whatever `work` raises.
        """
        attempt = 1
        while True:
            try:
                return self._once(work)
            except _RolledBack as rolled_back:
                if attempt >= rolled_back.attempts:
                    raise rolled_back.error from rolled_back.__cause__
                time.sleep(random.uniform(0, PAUSE_SECONDS * 2 ** (attempt - 1)))
                attempt += 1

    def ping(self) -> None:
        """Ask the server for a sign of life. Raises DatabaseUnavailable."""
        try:
            with self._engine.connect() as connection:
                connection.execute(_PING)
        except SQLAlchemyError as error:
            raise DatabaseUnavailable(str(translate(error))) from error

    def schema_version(self) -> str | None:
        """Return the version of the schema, or None for an empty database. Raises DatabaseUnavailable."""
        try:
            with self._engine.connect() as connection:
                return current(connection)
        except SQLAlchemyError as error:
            raise translate(error) from error

    def close(self) -> None:
        """Close the pooled connections."""
        self._engine.dispose()

    def _once(self, work: Callable[[Transaction], T]) -> T:
        try:
            connection = self._engine.connect()
        except SQLAlchemyError as error:
            raise translate(error) from error
        with connection:
            reused = connection.info.get(_USED, False)
            connection.info[_USED] = True
            unit = begin_unit(connection)
            try:
                transaction = MysqlTransaction(connection, self._subscriptions, self._stocked)
                result = work(transaction)
                transaction.seal()
                if unit.spoilt:
                    raise DatabaseUnavailable("a statement failed and its error was swallowed: nothing was stored")
            except (SQLAlchemyError, UnicodeEncodeError) as error:
                _end(connection, discard=True)
                stale = reused and not unit.answered and is_disconnect(error)
                attempts = 2 if stale else ATTEMPTS.get(error_number(error), 1)
                raise _RolledBack(translate(error), attempts) from error
            except BaseException as error:
                # The work said no: the connection is sound, unless a statement failed underneath or the thread
                # was interrupted between a question and its answer.
                _end(connection, discard=unit.spoilt or not isinstance(error, Exception))
                raise
            try:
                connection.commit()
            except BaseException as error:
                _end(connection, discard=True)
                if isinstance(error, SQLAlchemyError):
                    raise DatabaseUnavailable("the outcome of a commit is unknown") from error
                raise
            if transaction.has_mail:
                self._mail()
            return result


class _RolledBack(Exception):
    """The transaction did not happen; `attempts` says how often it may be tried in all."""

    def __init__(self, error: OrdersError, attempts: int) -> None:
        super().__init__()
        self.error = error
        self.attempts = attempts


def _end(connection: Connection, *, discard: bool) -> None:
    """Roll back; then close the connection for good, or leave it to the pool."""
    try:
        connection.rollback()
    except (SQLAlchemyError, OSError):
        discard = True
    if discard:
        with contextlib.suppress(SQLAlchemyError, OSError):
            connection.invalidate()
