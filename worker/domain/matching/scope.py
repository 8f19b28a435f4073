"""What one run of a comparison covers: its window, its cut, how far back it looks and how patient it is.

    read_from      horizon_start        window_start        window_end (the cut)
       | margin ------ | lookback ---------- | window ------------- |

Invariants: times are aware; read_from <= horizon_start <= window_start < window_end. Nothing at or after the cut
takes part. Movements before the horizon were judged by earlier runs; the margin exists only so that a pair that
straddles the horizon (ours a second before it, theirs a second after) is not torn apart.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.domain.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Times and patience of one run. Raises InvalidInput for naive or disordered times and negative graces."""

    window_start: datetime
    window_end: datetime
    horizon_start: datetime
    """From here on movements are known on both sides."""
    payment_grace: timedelta
    """How long the books and the provider's ledger may disagree about a movement one of them lacks."""
    shipment_grace: timedelta
    """How long a paid order may wait for its parcel."""
    order_grace: timedelta
    """How long a message about an order or its parcel may be under way."""
    margin: timedelta = timedelta(0)
    """How far apart the two sides may have dated one movement; never less than `payment_grace`."""

    def __post_init__(self) -> None:
        """Check the invariants."""
        if any(at.tzinfo is None for at in (self.window_start, self.window_end, self.horizon_start)):
            raise InvalidInput("the scope of a comparison needs times with a zone")
        if not self.horizon_start <= self.window_start < self.window_end:
            raise InvalidInput("the scope of a comparison must run horizon <= window start < window end")
        if min(self.payment_grace, self.shipment_grace, self.order_grace, self.margin) < timedelta(0):
            raise InvalidInput("a grace or margin must not be negative")

    @property
    def cut(self) -> datetime:
        """The end of the window: what happens at it or later belongs to a later run."""
        return self.window_end

    @property
    def read_from(self) -> datetime:
        """Where both sides are best read from: the horizon less a margin for clocks that differ."""
        return self.horizon_start - max(self.payment_grace, self.margin)

    def in_window(self, at: datetime) -> bool:
        """Tell whether `at` lies in [window_start, window_end)."""
        return self.window_start <= at < self.window_end

    def judged(self, at: datetime) -> bool:
        """Tell whether a record of this time must be known on both sides: [horizon_start, window_end)."""
        return self.horizon_start <= at < self.window_end
