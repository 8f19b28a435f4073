from dataclasses import asdict, dataclass, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.api.schedule.v1 import Schedule
from temporalio.client import Client
from temporalio.converter import DataConverter

from worker.config import ScheduleConfig
from worker.contract.reconciliation import Mode
from worker.domain.errors import InvalidInput
from worker.temporal.schedule_definition import OVERLAPS, declare, digest, fields
from worker.temporal.schedules import Change, ChangeAction, FieldChange, _differences, count

CLIENT = cast("Client", SimpleNamespace(data_converter=DataConverter.default))


@dataclass(frozen=True)
class Defaults:
    repair: bool = True


HOURLY = ScheduleConfig(
    id="reconcile-main-stripe",
    shop="main",
    provider="stripe",
    interval_seconds=3600,
    offset_seconds=300,
    overlap="buffer_one",
    catchup_seconds=21600,
    jitter_seconds=30,
)
names = st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True)


@st.composite
def configs(draw: st.DrawFn) -> ScheduleConfig:
    mode = draw(st.sampled_from(Mode))
    interval = 0 if mode is Mode.CLOSE else draw(st.integers(1, 10**7))
    return ScheduleConfig(
        id=f"reconcile-{draw(names)}",
        shop=draw(names),
        provider=draw(names),
        interval_seconds=interval,
        mode=mode.value,
        day_of_month=draw(st.integers(1, 28)) if mode is Mode.CLOSE else 0,
        offset_seconds=draw(st.integers(0, (interval or 86_400) - 1)),
        overlap=draw(st.sampled_from(sorted(OVERLAPS))),
        catchup_seconds=draw(st.integers(10, 10**7)),
        jitter_seconds=draw(st.integers(0, (interval or 86_400) - 1)),
    )


async def message(config: ScheduleConfig, defaults: Defaults = Defaults()) -> Schedule:
    (declared,) = await declare(CLIENT, [config], defaults)
    return declared.message


@given(configs(), st.booleans())
async def test_the_wire_keeps_every_declared_value(config: ScheduleConfig, repair: bool) -> None:
    sent = await message(config, Defaults(repair))
    received = Schedule.FromString(sent.SerializeToString())
    found = await fields(CLIENT, received)
    for name, value in asdict(config).items():
        key = f"input.{name}" if name in {"shop", "provider", "mode"} else name
        if name not in {"id", "day_of_month"} and (name, config.mode) != ("offset_seconds", Mode.CLOSE):
            assert found[key] == value
    assert found["calendar"] == (
        f"second {config.offset_seconds % 60}, minute {config.offset_seconds // 60 % 60}, "
        f"hour {config.offset_seconds // 3600}, day_of_month {config.day_of_month}, month 1-12, day_of_week 0-6, year "
        if config.day_of_month
        else ""
    )
    assert found["input.repair"] is (repair and config.mode != Mode.CLOSE)
    assert found["input.interval_seconds"] == config.interval_seconds
    assert found["input.offset_seconds"] == config.offset_seconds
    if config.mode == Mode.CLOSE:
        assert found["offset_seconds"] == 0, "an offset within the day, not of an interval"
    assert await _differences(CLIENT, received, sent) == ()


@given(configs(), configs())
async def test_the_digest_is_equal_exactly_for_equal_definitions(one: ScheduleConfig, other: ScheduleConfig) -> None:
    same = replace(one, id="") == replace(other, id="")
    first, second = await message(one), await message(other)
    assert (await digest(CLIENT, first) == await digest(CLIENT, second)) is same
    assert bool(await _differences(CLIENT, first, second)) is not same


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"jitter_seconds": 60}, [FieldChange("jitter_seconds", 30, 60)]),
        ({"overlap": "skip"}, [FieldChange("overlap", "buffer_one", "skip")]),
        ({"catchup_seconds": 60}, [FieldChange("catchup_seconds", 21600, 60)]),
        (
            {"offset_seconds": 0},
            [FieldChange("input.offset_seconds", 300, 0), FieldChange("offset_seconds", 300, 0)],
        ),
    ],
)
async def test_a_difference_names_the_field_and_both_values(
    change: dict[str, Any], expected: list[FieldChange]
) -> None:
    old, new = await message(HOURLY), await message(replace(HOURLY, **change))
    assert list(await _differences(CLIENT, old, new)) == expected


async def test_times_added_by_hand_are_a_difference() -> None:
    has, wants = await message(HOURLY), await message(HOURLY)
    has.spec.cron_string.append("0 * * * *")
    assert await _differences(CLIENT, has, wants) == (FieldChange("other_times", 1, 0),)


async def test_an_argument_that_is_not_ours_is_shown_and_replaced() -> None:
    has, wants = await message(HOURLY), await message(HOURLY)
    payloads = has.action.start_workflow.input.payloads
    payloads[0].CopyFrom(Payload(metadata={"encoding": b"json/plain"}, data=b'"nonsense"'))
    changed = {difference.name for difference in await _differences(CLIENT, has, wants)}
    assert "input.unreadable" in changed
    assert "input.shop" in changed
    payloads.pop()
    assert "input.arguments" in {difference.name for difference in await _differences(CLIENT, has, wants)}


async def test_what_an_operator_sets_is_no_difference() -> None:
    has, wants = await message(HOURLY), await message(HOURLY)
    has.state.paused = True
    has.state.notes = "provider's maintenance"
    has.state.limited_actions = True
    has.state.remaining_actions = 3
    assert await _differences(CLIENT, has, wants) == ()


async def test_a_definition_of_another_version_is_written_again() -> None:
    has, wants = await message(HOURLY), await message(HOURLY)
    has.action.start_workflow.memo.fields.clear()
    (difference,) = await _differences(CLIENT, has, wants)
    assert (difference.name, difference.old) == ("definition", None)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"id": "nightly"}, "must begin with 'reconcile-'"),
        ({"id": "reconcile-a/b"}, "usable in ids"),
        ({"shop": "my shop"}, "shop is not usable"),
        ({"provider": ""}, "provider is not usable"),
        ({"interval_seconds": 0}, "interval_seconds"),
        ({"offset_seconds": 3600}, "offset_seconds"),
        ({"offset_seconds": -1}, "offset_seconds"),
        ({"jitter_seconds": 3600}, "jitter_seconds"),
        ({"overlap": "allow_all"}, "overlap must be one of"),
        ({"catchup_seconds": 9}, "catchup_seconds"),
        ({"mode": "quick"}, "mode must be one of full, light, close"),
        ({"day_of_month": 3}, "day_of_month is for mode close"),
        ({"mode": "close"}, "no interval_seconds"),
        ({"mode": "close", "interval_seconds": 0}, "day_of_month must be 1 to 28"),
        ({"mode": "close", "interval_seconds": 0, "day_of_month": 31}, "day_of_month must be 1 to 28"),
        ({"mode": "close", "interval_seconds": 0, "day_of_month": 3, "offset_seconds": 86_400}, "after midnight"),
    ],
)
async def test_a_wrong_declaration_is_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        await declare(CLIENT, [replace(HOURLY, **change)], Defaults())


async def test_all_problems_are_told_at_once() -> None:
    twice = [HOURLY, replace(HOURLY, overlap="never"), replace(HOURLY, id="other", shop="second")]
    with pytest.raises(InvalidInput) as caught:
        await declare(CLIENT, twice, Defaults())
    text = str(caught.value)
    assert "other: the id must begin" in text
    assert "overlap must be one of" in text
    assert "id reconcile-main-stripe is declared twice" in text
    assert "shop, provider and mode main/stripe/full is declared twice" in text


def test_every_action_has_a_count() -> None:
    changes = [Change(id="a", action=ChangeAction.CREATE), Change(id="b", action=ChangeAction.CREATE)]
    assert count(changes) == {"create": 2, "update": 0, "unchanged": 0, "orphan": 0}
