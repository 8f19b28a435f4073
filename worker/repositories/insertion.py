"""Insert-if-absent: the unique key decides, and only its refusal is an answer.

Not INSERT IGNORE, which would also swallow values that do not fit and owners that do not exist.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Insert
from sqlalchemy.exc import IntegrityError

from worker.repositories.failures import is_expected_duplicate


def insert_once(connection: Connection, statement: Insert, values: Mapping[str, Any]) -> bool:
    """Insert one row; return False, with the transaction still usable, when its key exists."""
    try:
        connection.execute(statement, values)
    except IntegrityError as error:
        if is_expected_duplicate(error):
            return False
        raise
    return True
