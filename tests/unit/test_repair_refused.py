"""A repair that is refused is one attempt without effect: no run fails for it, and no other repair waits for it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from tests.unit.reports_sample import LOST, followed
from worker.domain.errors import (
    Conflict,
    DatabaseUnavailable,
    NotFound,
    OrdersError,
    ProviderRejected,
    ProviderUnavailable,
    SourceUnreadable,
)
from worker.domain.finding import Break, BreakStatus, Repair
from worker.domain.repair_policy import Attempt, AttemptOutcome, event_id
from worker.services.inquiry import Answer
from worker.services.repair import Claim, RepairService

AT = datetime(2026, 11, 29, 5, tzinfo=UTC)


class Outside:
    """Messages and inquiries that end in one way."""

    def __init__(self, problem: Exception) -> None:
        self._problem = problem

    def unasked(self, item: Break) -> str:
        del item
        return ""

    def event(self, item: Break, event_id: str) -> None:
        raise self._problem

    def money(self, item: Break) -> Answer:
        raise self._problem

    def parcel(self, item: Break) -> Answer:
        raise self._problem


def carried_out(problem: Exception, repair: Repair) -> object:
    outside = Outside(problem)
    service = RepairService(cast("Any", None), cast("Any", outside), cast("Any", outside), cast("Any", None), {})
    item = followed(replace(LOST, repair=repair), BreakStatus.NEW, age=timedelta(0))
    attempt = Attempt(
        break_id=item.break_id,
        number=1,
        round=1,
        repair=repair,
        run_id="r",
        event_id=event_id(item.break_id, 1),
        claimed_at=AT,
        next_at=AT + timedelta(minutes=5),
    )
    return service.carry_out(Claim(item=item, attempt=attempt))


REPAIRS = [Repair.ASK_PROVIDER, Repair.REQUEST_FULFILMENT, Repair.DELIVER_REFUND]


@pytest.mark.parametrize("repair", REPAIRS)
@pytest.mark.parametrize(
    "refusal",
    [ProviderRejected("400 to GET"), NotFound("404 to POST"), Conflict("409 to GET")],
    ids=lambda one: one.code,
)
def test_what_is_refused_had_no_effect_and_says_why(refusal: OrdersError, repair: Repair) -> None:
    answer = carried_out(refusal, repair)
    assert answer == Answer(outcome=AttemptOutcome.NOTHING, detail=f"it was refused: {refusal}")


@pytest.mark.parametrize("repair", REPAIRS)
@pytest.mark.parametrize(
    "shape", [KeyError("type"), AttributeError("get"), ValueError("no JSON")], ids=lambda one: type(one).__name__
)
def test_what_nobody_can_read_waits_and_does_not_fail_the_run(shape: Exception, repair: Repair) -> None:
    with pytest.raises(SourceUnreadable, match="in another shape"):
        carried_out(shape, repair)


@pytest.mark.parametrize("away", [ProviderUnavailable("503"), SourceUnreadable("cut off"), DatabaseUnavailable("2013")])
def test_what_is_away_is_no_refusal(away: OrdersError) -> None:
    with pytest.raises(type(away)):
        carried_out(away, Repair.ASK_PROVIDER)
