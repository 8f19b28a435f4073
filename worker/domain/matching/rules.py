"""What a shop allows its provider: tolerances, patience, agreed fees. One `Rules` per provider, from the settings.

Without settings nothing is allowed: no tolerance, the graces of the scope, no expected fee. Every rule decides over
one key by what that key holds, so a part of the books is judged as the whole would be.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from worker.domain.errors import InvalidInput
from worker.domain.finding import Outcome

BASIS_POINTS = 10_000
WEIGHTS = frozenset({Outcome.MATCHED, Outcome.WARNING, Outcome.BREAK})
"""What a setting may make of a finding that is no plain difference: explained, a warning or a break."""


def _not_negative(**amounts: int) -> None:
    wrong = sorted(name for name, minor in amounts.items() if minor < 0)
    if wrong:
        raise InvalidInput(f"{', '.join(wrong)} must not be negative")


class Reference(StrEnum):
    """A field of a ledger line by which its order is found; the first that knows one decides."""

    PAYMENT = "payment_reference"
    """Our books hold this payment for an order."""
    ORDER = "order_id"
    """The line carries the order's own id."""
    SOURCE = "source_id"
    """Our books hold the object behind the line as a payment of an order."""


class Compared(StrEnum):
    """In which currency a converted payment is compared: the one our books are kept in."""

    CUSTOMER = "customer"
    SETTLEMENT = "settlement"


class Side(StrEnum):
    """Whose record is late."""

    INTERNAL = "internal"
    """They have it, we do not yet."""
    EXTERNAL = "external"
    """We have it, they do not yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far amounts may differ and still agree. 0 is no bound of that sort; where both are set, both must hold."""

    absolute_minor: int = 0
    relative_bp: int = 0
    """Basis points of our amount."""

    def __post_init__(self) -> None:
        """Refuse negative bounds."""
        _not_negative(absolute_minor=self.absolute_minor, relative_bp=self.relative_bp)

    def allows(self, ours_minor: int, difference_minor: int) -> bool:
        """Tell whether a difference from our amount is within the bounds; 0 always is."""
        apart = abs(difference_minor)
        bounds = []
        if self.absolute_minor:
            bounds.append(apart <= self.absolute_minor)
        if self.relative_bp:
            bounds.append(apart * BASIS_POINTS <= abs(ours_minor) * self.relative_bp)
        return not apart or (bool(bounds) and all(bounds))


class Moved(StrEnum):
    """What was moved, for a patience of its own: a provider may tell of one at once and of another days later."""

    PAYMENT = "payment"
    REFUND = "refund"
    DISPUTE = "dispute"
    """Withdrawn by a dispute, or returned from one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grace:
    """How long either side may be silent about what one method moved; None leaves it to the next wider rule."""

    moved: Moved | None = None
    """None: whatever was moved."""
    method: str = ""
    """Of the payment. Empty: of every method."""
    internal: timedelta | None = None
    external: timedelta | None = None

    def __post_init__(self) -> None:
        """Refuse negative patience."""
        if min(self.internal or timedelta(0), self.external or timedelta(0)) < timedelta(0):
            raise InvalidInput("a grace must not be negative")

    def of(self, side: Side) -> timedelta | None:
        """Return the patience with one side."""
        return self.internal if side is Side.INTERNAL else self.external


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeSchedule:
    """The fee agreed for some payments: a share and a fixed part, and how far a fee may be from it."""

    method: str = ""
    country: str = ""
    currency: str = ""
    """Of settlement. Empty method, country or currency: any."""
    basis_points: int = 0
    fixed_minor: int = 0
    """For each charge, minor units of the settlement currency."""
    variance_minor: int = 0
    variance_bp: int = 0
    """Basis points of the expected fee; where both variances are set the wider one counts."""

    def __post_init__(self) -> None:
        """Refuse negative fees."""
        _not_negative(
            basis_points=self.basis_points,
            fixed_minor=self.fixed_minor,
            variance_minor=self.variance_minor,
            variance_bp=self.variance_bp,
        )

    def concerns(self, method: str, country: str, currency: str) -> bool:
        """Tell whether the schedule is for such payments."""
        return self.method in {"", method} and self.country in {"", country} and self.currency in {"", currency}

    @property
    def narrowness(self) -> int:
        """How many things it names: the narrowest schedule that concerns a payment is its own."""
        return sum(bool(name) for name in (self.method, self.country, self.currency))

    def expected(self, gross_minor: int, charges: int) -> int:
        """Return the fee of a payment, the share rounded half up."""
        share = (gross_minor * self.basis_points * 2 + BASIS_POINTS) // (2 * BASIS_POINTS)
        return share + self.fixed_minor * charges

    def varies(self, expected_minor: int, actual_minor: int) -> bool:
        """Tell whether a fee is further from the expected one than agreed."""
        apart = abs(actual_minor - expected_minor)
        return apart > self.variance_minor and apart * BASIS_POINTS > abs(expected_minor) * self.variance_bp


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of one provider. Raises InvalidInput for a weight that no finding can have and negative amounts."""

    provider: str = ""
    references: tuple[Reference, ...] = (Reference.PAYMENT, Reference.ORDER)
    compared: Compared = Compared.CUSTOMER
    date_window: timedelta = timedelta(days=1)
    """How far apart both sides may date one movement: after an outage we book late what it moved in time."""
    many_to_one: bool = False
    """Whether payments of one order that add up to one of the other side, within the date window, are that one."""
    tolerances: Mapping[str, Tolerance] = field(default_factory=dict)
    """By currency; none for any other."""
    graces: tuple[Grace, ...] = ()
    fees: tuple[FeeSchedule, ...] = ()
    fee_variance: Outcome = Outcome.WARNING
    fx_difference: Outcome = Outcome.WARNING
    """What a rate that moved further than `fx_allowed_bp` between charge and refund weighs; less is explained."""
    fx_allowed_bp: int = 500
    reversed_after_fulfilment: Outcome = Outcome.MATCHED
    """What it weighs that all the money of a shipped order was given back by us; a dispute is a warning at least."""
    payouts_by: str = ""
    """The shop whose runs judge the account's payouts, where several shops share it; empty: each shop's own runs."""
    payout_grace: timedelta = timedelta(days=1)
    """How long after its arrival date a payout's lines may still be incomplete."""
    payout_lookback: timedelta = timedelta(days=10)
    """How long after its arrival date a payout is looked at again: one that was paid may still come back."""
    bank_grace: timedelta = timedelta(days=3)
    """How long after its arrival date the bank may not have booked a payout yet."""
    bank_names: tuple[str, ...] = ()
    """How the provider calls itself at the bank; a credit that bears none of them and no payout is not its."""

    def __post_init__(self) -> None:
        """Check the invariants."""
        weights = (self.fee_variance, self.fx_difference, self.reversed_after_fulfilment)
        if not set(weights) <= WEIGHTS:
            raise InvalidInput("a rule may make a finding matched, a warning or a break, nothing else")
        if not self.references:
            raise InvalidInput("name at least one reference by which a line's order is found")
        if min(self.date_window, self.payout_grace, self.payout_lookback, self.bank_grace) < timedelta(0):
            raise InvalidInput("a date window, lookback or grace must not be negative")
        _not_negative(fx_allowed_bp=self.fx_allowed_bp)

    def judges_payouts(self, shop: str) -> bool:
        """Tell whether a shop's runs judge payouts. One payout pays out all shops of an account: one of them answers."""
        return self.payouts_by in {"", shop}

    def tolerates(self, currency: str, ours_minor: int, difference_minor: int) -> bool:
        """Tell whether a difference is within the tolerance of its currency; 0 always is."""
        return self.tolerances.get(currency, _NONE).allows(ours_minor, difference_minor)

    def grace(
        self, side: Side, methods: Iterable[str], otherwise: timedelta, moved: Moved = Moved.PAYMENT
    ) -> timedelta:
        """Return how long `side` may be late with what was moved by these methods: the longest of theirs.

        A grace for what was moved goes before one for its method alone, and either before one for everything.
        """
        said = {(grace.moved, grace.method): own for grace in self.graces if (own := grace.of(side)) is not None}

        def narrowest(method: str) -> timedelta:
            order = ((moved, method), (moved, ""), (None, method), (None, ""))
            return next((said[one] for one in order if one in said), otherwise)

        return max(map(narrowest, methods), default=narrowest(""))

    def longest_grace(self, otherwise: timedelta) -> timedelta:
        """Return the longest patience with anybody: a run must look back at least this far."""
        return max([otherwise, *(p for grace in self.graces for side in Side if (p := grace.of(side)) is not None)])

    def schedule(self, method: str, country: str, currency: str) -> FeeSchedule | None:
        """Return the narrowest schedule that concerns such a payment, the first of equals; None: nothing was agreed."""
        concerned = [one for one in self.fees if one.concerns(method, country, currency)]
        return max(concerned, key=lambda one: one.narrowness, default=None)


_NONE = Tolerance()
PLAIN = Rules()
"""The rules of a provider of which the settings say nothing."""
