"""The provider's price list: a share of the amount plus a fixed part."""

from infra.local.simulator.provider.settings import Settings

_BASIS = 10_000


def charge_fee(amount: int, settings: Settings) -> int:
    """Return the fee on a captured amount, both in minor units: the share rounded half up, plus the fixed part.

    Nothing is charged for nothing. The fee is not given back with a refund.
    """
    if amount <= 0:
        return 0
    return (amount * settings.fee_basis_points + _BASIS // 2) // _BASIS + settings.fee_fixed
