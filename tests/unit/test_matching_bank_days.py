"""Payouts that the bank books before or after their day: over daily runs each is matched, and nothing else is ever told."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.matching_books import CUT, SCOPE
from tests.unit.test_matching_payouts import credit, payout
from worker.domain.finding import FindingKind, Outcome
from worker.domain.matching.bank import match_bank
from worker.domain.matching.payouts import match_payouts, payout_scope, payouts_named
from worker.domain.matching.rules import Rules
from worker.domain.window import Span

DAY = timedelta(days=1)
EARLIEST, LATEST = -2, 5
RULES = Rules(provider="stripe", bank_grace=(LATEST + 1) * DAY)
CREATED = 3 * DAY
"""How long before its day the provider tells of a payout."""
DAYS = 15
FIRST = CUT.replace(hour=0, minute=0, second=0, microsecond=0)


@settings(max_examples=50)
@given(
    lags=st.lists(st.tuples(st.integers(0, DAYS - 1), st.integers(EARLIEST, LATEST)), max_size=6),
    missed=st.sets(st.integers(1, DAYS + LATEST)),
)
def test_each_payout_meets_its_booking_in_daily_runs_and_nothing_else_is_told(
    lags: list[tuple[int, int]], missed: set[int]
) -> None:
    payouts = [payout(f"po_{place}", 100 + place, at=FIRST + day * DAY) for place, (day, _) in enumerate(lags)]
    booked = [
        credit(f"c_{place}", 100 + place, f"stripe payout po_{place}", at=FIRST + (day + lag) * DAY)
        for place, (day, lag) in enumerate(lags)
    ]
    last, met = FIRST - 3 * DAY, Counter[str]()
    for number in range(EARLIEST, DAYS + 2 * LATEST + 6):
        if number in missed:
            continue  # the next run's window begins where the last one ended
        cut = FIRST + number * DAY
        scope = payout_scope(replace(SCOPE, horizon_start=last, window_start=last, window_end=cut), RULES)
        named, last = payouts_named(scope, RULES), cut
        known = [one for one in payouts if one.arrives_at - CREATED < cut and named.start <= one.arrives_at < named.end]
        seen = [one for one in booked if named.start <= one.booked_at < cut]
        found = match_bank(known, seen, Span(named.start, cut), scope, RULES)
        assert {one.outcome for one in found} <= {Outcome.MATCHED, Outcome.PENDING}, "nothing is told that is in order"
        assert {len(one.theirs) for one in found if one.outcome is Outcome.MATCHED} <= {1}
        waiting = {one.kind for one in found if one.outcome is Outcome.PENDING}
        assert waiting <= {FindingKind.PAYOUT_MISSING_AT_BANK}
        assert {one.kind for one in match_payouts(known, scope, RULES)} <= {FindingKind.MATCHED}
        met.update({one.key for one in found if one.outcome is Outcome.MATCHED})
    assert set(met) == {one.key for one in payouts}
    assert waiting == set(), "nothing stays"
