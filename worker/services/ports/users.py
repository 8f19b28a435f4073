"""The stores of users and of their keys."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from worker.domain.user import AddressChange, ChangeState, User, UserState


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A user's own key as it is kept: `wrapped` (base64) by the key of the settings that `wrapped_with` names."""

    key_id: str
    user_id: str
    wrapped: str
    wrapped_with: str
    dropped: bool = False


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

    def recent(self, *, state: UserState | None, limit: int) -> list[User]:
        """Return the newest users, of one state or all."""
        ...

    def set_email(self, user_id: str, email: str, at: datetime) -> bool:
        """Put another address in force; False for a user who is not active."""
        ...

    def erase(self, user_id: str, at: datetime) -> bool:
        """Remove the address and end in `erased`, whatever the state; False when that was done before."""
        ...


class AddressChangeStore(Protocol):
    """Changes of users' addresses."""

    def add(self, change: AddressChange) -> bool:
        """Insert; False when the user's change of that id exists."""
        ...

    def get(self, user_id: str, change_id: str) -> AddressChange | None:
        """Return one change or None."""
        ...

    def finish(self, user_id: str, change_id: str, to: ChangeState, at: datetime, *, previous: str = "") -> bool:
        """End a pending change; False when it was over. `previous` is kept until it was told."""
        ...

    def finish_pending(self, user_id: str, to: ChangeState, at: datetime) -> int:
        """End every pending change of a user; return how many."""
        ...

    def told(self, user_id: str, change_id: str) -> None:
        """Forget the old address of a change: it was told."""
        ...

    def forget(self, user_id: str, at: datetime) -> list[str]:
        """Remove every address of a user's changes, ending those that are pending; return the ids of all."""
        ...


class UserKeyStore(Protocol):
    """Users' own keys, at most one each."""

    def add(self, key: StoredKey, at: datetime) -> bool:
        """Insert; False when the user has one, or had."""
        ...

    def of_user(self, user_id: str) -> StoredKey | None:
        """Return the user's key or None."""
        ...

    def by_id(self, key_id: str) -> StoredKey | None:
        """Return a key by its id or None."""
        ...

    def drop(self, user_id: str, at: datetime) -> bool:
        """Forget the user's key; False when there is none, or none any more."""
        ...

    def wrapped_otherwise(self, current: str, most: int) -> list[StoredKey]:
        """Return keys that another key than `current` wraps, at most so many."""
        ...

    def wrap(self, key_id: str, wrapped: str, by: str) -> None:
        """Store the same key, wrapped anew; one that was dropped stays dropped."""
        ...
