"""The store of users."""

from datetime import datetime
from typing import Protocol

from worker.domain.user import User, UserState


class UserStore(Protocol):
    """Users."""

    def add(self, user: User) -> bool:
        """Insert; False when the id exists."""
        ...

    def get(self, user_id: str) -> User | None:
        """Return the user or None."""
        ...

    def move(self, user_id: str, expected: UserState, to: UserState, at: datetime) -> bool:
        """Change the state if it is `expected`; return whether it was."""
        ...
