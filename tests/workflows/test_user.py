import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError, WorkflowUpdateStage
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from tests.workflows.doubles import DAY, UserDoubles, activities_of
from tests.workflows.histories import until
from tests.workflows.order_run import refused_as
from tests.workflows.samples import USER
from tests.workflows.timeskipping import serving
from worker.contract.names import UserMessage
from worker.contract.users import ConfirmUser, ResendConfirmation, UserStatus
from worker.domain.errors import Conflict, InvalidInput, ProviderUnavailable, TooSoon
from worker.domain.user import UserState
from worker.workflows.user import UserWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")

Handle = WorkflowHandle[UserWorkflow, UserStatus]


@pytest.fixture
def doubles() -> UserDoubles:
    return UserDoubles()


@asynccontextmanager
async def registration(env: WorkflowEnvironment, doubles: UserDoubles) -> AsyncIterator[Handle]:
    async with serving(env.client, [UserWorkflow], activities_of(doubles)) as queue:
        yield await env.client.start_workflow(UserWorkflow.run, USER, id=f"user/{uuid.uuid4().hex}", task_queue=queue)


async def confirm(handle: Handle, digest: str = "right") -> UserStatus:
    request = ConfirmUser(token_sha256=digest)
    status: UserStatus = await handle.execute_update(UserMessage.CONFIRM, request, result_type=UserStatus)
    return status


async def test_a_user_who_confirms_is_active_and_hears_no_more(env: WorkflowEnvironment, doubles: UserDoubles) -> None:
    async with registration(env, doubles) as handle:
        await doubles.conduct.attempts("mail_confirmation", 1)
        confirmed = await confirm(handle)
        status = await handle.result()

    assert confirmed == status == UserStatus(user_id="u-1", state="active", mails_sent=1)
    assert doubles.state is UserState.ACTIVE
    assert doubles.conduct.count("expire_user") == 0


async def test_a_confirmation_that_comes_before_the_registration_is_written_waits_for_it(
    env: WorkflowEnvironment, doubles: UserDoubles
) -> None:
    registering = doubles.conduct.hold("register_user")
    async with registration(env, doubles) as handle:
        await registering.reached.wait()
        early = asyncio.create_task(confirm(handle))
        done, _ = await asyncio.wait({early}, timeout=0.2)
        assert not done
        registering.release.set()
        assert (await early).state == "active"
        await handle.result()


async def test_a_wrong_token_is_refused_and_changes_nothing(env: WorkflowEnvironment, doubles: UserDoubles) -> None:
    async with registration(env, doubles) as handle:
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await confirm(handle, "wrong")
        pending = await handle.query(UserMessage.STATUS, result_type=UserStatus)
        await confirm(handle)
        await handle.result()

    assert refused_as(refused.value) == InvalidInput.code
    assert pending.state == "pending"


async def test_reminders_come_on_their_days_and_stop_with_the_confirmation(
    env: WorkflowEnvironment, doubles: UserDoubles
) -> None:
    async with registration(env, doubles) as handle:
        await doubles.conduct.attempts("mail_confirmation", 1)
        await env.fast_forward(handle, DAY - 60)
        assert doubles.conduct.count("mail_confirmation") == 1
        await env.fast_forward(handle, 120)
        await doubles.conduct.attempts("mail_confirmation", 2)
        await env.fast_forward(handle, 2 * DAY)
        await doubles.conduct.attempts("mail_confirmation", 3)
        await env.fast_forward(handle, 3 * DAY)
        assert doubles.conduct.count("mail_confirmation") == 3
        await confirm(handle)
        status = await handle.result()

    assert (status.state, status.mails_sent) == ("active", 3)
    assert [mailing.number for mailing in doubles.conduct.calls["mail_confirmation"]] == [1, 2, 3]


async def test_a_registration_nobody_confirms_expires(env: WorkflowEnvironment) -> None:
    # A reminder at or after the end of the window is not sent: it would ask for what is no longer possible.
    doubles = UserDoubles(window_seconds=2 * DAY, reminder_seconds=(3 * DAY, DAY, 2 * DAY))
    async with registration(env, doubles) as handle:
        await env.fast_forward(handle)
        status = await handle.result()

    assert status == UserStatus(user_id="u-1", state="expired", mails_sent=2)
    assert doubles.state is UserState.EXPIRED


async def test_a_late_confirmation_is_refused_and_one_at_the_last_moment_is_decided_first(
    env: WorkflowEnvironment,
) -> None:
    doubles = UserDoubles(window_seconds=1, reminder_seconds=())
    confirming = doubles.conduct.hold("confirm_user")
    async with registration(env, doubles) as handle:
        wrong = asyncio.create_task(confirm(handle, "wrong"))
        await confirming.reached.wait()
        await until(handle, EventType.EVENT_TYPE_TIMER_FIRED)
        late = await handle.start_update(
            UserMessage.CONFIRM,
            ConfirmUser(token_sha256="right"),
            wait_for_stage=WorkflowUpdateStage.ACCEPTED,
            result_type=UserStatus,
        )
        confirming.release.set()
        with pytest.raises(WorkflowUpdateFailedError) as refused_wrong:
            await wrong
        with pytest.raises(WorkflowUpdateFailedError) as refused_late:
            await late.result()
        status = await handle.result()

    assert refused_as(refused_wrong.value) == InvalidInput.code
    assert refused_as(refused_late.value) == Conflict.code
    assert status.state == doubles.state == "expired"
    assert doubles.conduct.count("confirm_user") == 1


async def test_a_confirmation_under_way_when_the_window_closes_wins(env: WorkflowEnvironment) -> None:
    doubles = UserDoubles(window_seconds=1, reminder_seconds=())
    confirming = doubles.conduct.hold("confirm_user")
    async with registration(env, doubles) as handle:
        last = asyncio.create_task(confirm(handle))
        await confirming.reached.wait()
        await until(handle, EventType.EVENT_TYPE_TIMER_FIRED)
        confirming.release.set()
        assert (await last).state == "active"
        status = await handle.result()

    assert status.state == doubles.state == "active"
    assert doubles.conduct.count("expire_user") == 0


async def test_a_user_who_is_active_already_is_not_mailed(env: WorkflowEnvironment, doubles: UserDoubles) -> None:
    doubles.state = UserState.ACTIVE
    async with registration(env, doubles) as handle:
        status = await handle.result()

    assert status == UserStatus(user_id="u-1", state="active", mails_sent=0)
    assert doubles.conduct.count("mail_confirmation") == 0


async def test_a_mail_server_that_is_away_delays_the_mail(env: WorkflowEnvironment, doubles: UserDoubles) -> None:
    doubles.conduct.fail("mail_confirmation", ProviderUnavailable("connection refused"))
    async with registration(env, doubles) as handle:
        await doubles.conduct.attempts("mail_confirmation", 2)
        status = await confirm(handle)
        await handle.result()

    assert status.mails_sent == 1
    assert {mailing.number for mailing in doubles.conduct.calls["mail_confirmation"]} == {1}


async def resend(handle: Handle, request_id: str = "r1") -> UserStatus:
    request = ResendConfirmation(request_id=request_id)
    status: UserStatus = await handle.execute_update(UserMessage.RESEND, request, result_type=UserStatus)
    return status


async def test_the_token_is_mailed_again_on_wish_but_not_at_once_and_not_for_ever(env: WorkflowEnvironment) -> None:
    doubles = UserDoubles(reminder_seconds=(), resend_pause_seconds=60, mails_at_most=3)
    async with registration(env, doubles) as handle:
        await doubles.conduct.attempts("mail_confirmation", 1)
        with pytest.raises(WorkflowUpdateFailedError) as early:
            await resend(handle)
        await env.fast_forward(handle, 61)
        assert (await resend(handle)).mails_sent == 2
        with pytest.raises(WorkflowUpdateFailedError) as again:
            await resend(handle, "r2")
        await env.fast_forward(handle, 61)
        assert (await resend(handle, "r2")).mails_sent == 3
        await env.fast_forward(handle, 61)
        with pytest.raises(WorkflowUpdateFailedError) as enough:
            await resend(handle, "r3")
        await confirm(handle)
        status = await handle.result()

    assert [refused_as(one.value) for one in (early, again, enough)] == [TooSoon.code, TooSoon.code, Conflict.code]
    cause = early.value.cause
    assert isinstance(cause, ApplicationError)
    assert 1 <= cause.details[0] <= 60
    assert (status.state, status.mails_sent) == ("active", 3)
    assert [mailing.number for mailing in doubles.conduct.calls["mail_confirmation"]] == [1, 2, 3]


async def test_a_user_who_is_active_is_mailed_no_token_again(env: WorkflowEnvironment, doubles: UserDoubles) -> None:
    mailing = doubles.conduct.hold("mail_confirmation")
    async with registration(env, doubles) as handle:
        await mailing.reached.wait()
        await confirm(handle)
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await resend(handle)
        mailing.release.set()
        await handle.result()

    assert refused_as(refused.value) == Conflict.code
