"""The table of changes of users' addresses; see schema.py for what holds of all tables."""

from sqlalchemy import Column, Index

from worker.repositories.columns import ID, REFERENCE, WORD, key, required, table
from worker.repositories.times import UtcDateTime

ADDRESS_CHANGES = table(
    "address_changes",
    key("user_id", ID),
    key("change_id", ID),
    # Both are emptied when the change is over: what is in force stands with the user.
    required("email", REFERENCE),
    required("previous", REFERENCE),
    required("state", WORD),
    required("asked_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Index("address_changes_by_state", "user_id", "state"),
)
