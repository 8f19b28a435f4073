"""Activities of the change of an address."""

from dataclasses import dataclass

from temporalio import activity

from worker.contract.users import ChangeAddress
from worker.services.addresses import AddressService


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Where the change stands, and how long it waits for its token (a setting, fixed in the history here)."""

    state: str
    window_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OneChange:
    """One change of one user."""

    user_id: str
    change_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressConfirmation:
    """A token somebody presented for a change, as its SHA-256."""

    user_id: str
    change_id: str
    token_sha256: str


class AddressActivities:
    """Steps of AddressChangeWorkflow."""

    def __init__(self, addresses: AddressService, *, window_seconds: int) -> None:
        self._addresses = addresses
        self._window_seconds = window_seconds

    @activity.defn
    def begin_address_change(self, request: ChangeAddress) -> Begun:
        """Write the change down as pending."""
        return Begun(state=self._addresses.begin(request), window_seconds=self._window_seconds)

    @activity.defn
    def mail_address_token(self, change: OneChange) -> None:
        """Mail the token to the new address."""
        self._addresses.send_token(change.user_id, change.change_id)

    @activity.defn
    def confirm_address(self, confirmation: AddressConfirmation) -> str:
        """Put the new address in force if the token is the change's; return where the change stands."""
        return self._addresses.confirm(confirmation.user_id, confirmation.change_id, confirmation.token_sha256)

    @activity.defn
    def tell_old_address(self, change: OneChange) -> None:
        """Tell the old address, and forget it."""
        self._addresses.tell_old_address(change.user_id, change.change_id)

    @activity.defn
    def expire_address_change(self, change: OneChange) -> str:
        """End a change nobody confirmed; return where it stands."""
        return self._addresses.expire(change.user_id, change.change_id)
