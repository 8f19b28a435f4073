"""The change of an address: in force when its own token comes back, and not before."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from tests.workflows.doubles import DAY, AddressDoubles, activities_of
from tests.workflows.order_run import refused_as
from tests.workflows.samples import ADDRESS
from tests.workflows.timeskipping import serving
from worker.contract.names import UserMessage
from worker.contract.users import AddressStatus, ConfirmUser
from worker.domain.errors import Conflict, InvalidInput, ProviderRejected
from worker.domain.user import ChangeState
from worker.workflows.address_change import AddressChangeWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")

Handle = WorkflowHandle[AddressChangeWorkflow, AddressStatus]


@asynccontextmanager
async def change(env: WorkflowEnvironment, doubles: AddressDoubles) -> AsyncIterator[Handle]:
    async with serving(env.client, [AddressChangeWorkflow], activities_of(doubles)) as queue:
        workflow_id = f"address/u-1/{uuid.uuid4().hex}"
        yield await env.client.start_workflow(AddressChangeWorkflow.run, ADDRESS, id=workflow_id, task_queue=queue)


async def confirm(handle: Handle, digest: str = "right") -> AddressStatus:
    request = ConfirmUser(token_sha256=digest)
    status: AddressStatus = await handle.execute_update(UserMessage.CONFIRM, request, result_type=AddressStatus)
    return status


async def test_a_wrong_token_changes_nothing_and_the_right_one_tells_the_old_address(env: WorkflowEnvironment) -> None:
    doubles = AddressDoubles()
    async with change(env, doubles) as handle:
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await confirm(handle, "wrong")
        assert doubles.conduct.count("tell_old_address") == 0
        confirmed = await confirm(handle)
        ended = await handle.result()

    assert refused_as(refused.value) == InvalidInput.code
    assert confirmed == ended == AddressStatus(user_id="u-1", change_id="c-1", state="changed")
    assert [doubles.conduct.count(step) for step in ("mail_address_token", "tell_old_address")] == [1, 1]


async def test_a_change_that_nobody_confirms_expires(env: WorkflowEnvironment) -> None:
    doubles = AddressDoubles()
    async with change(env, doubles) as handle:
        await doubles.conduct.attempts("mail_address_token", 1)
        await env.fast_forward(handle, DAY + 1)
        ended = await handle.result()

    assert ended.state == doubles.state == ChangeState.EXPIRED
    assert doubles.conduct.count("tell_old_address") == 0


async def test_a_user_who_is_not_active_is_not_mailed(env: WorkflowEnvironment) -> None:
    doubles = AddressDoubles(ChangeState.REFUSED)
    async with change(env, doubles) as handle:
        assert (await handle.result()).state == ChangeState.REFUSED
    assert doubles.conduct.count("mail_address_token") == 0


async def test_one_that_another_took_the_place_of_cannot_be_confirmed(env: WorkflowEnvironment) -> None:
    doubles = AddressDoubles()
    async with change(env, doubles) as handle:
        await doubles.conduct.attempts("mail_address_token", 1)
        doubles.state = ChangeState.SUPERSEDED
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await confirm(handle)
        assert (await handle.result()).state == ChangeState.SUPERSEDED

    assert refused_as(refused.value) == Conflict.code
    assert doubles.conduct.count("tell_old_address") == 0


async def test_an_address_that_takes_no_mail_is_not_taken(env: WorkflowEnvironment) -> None:
    doubles = AddressDoubles()
    doubles.conduct.fail("mail_address_token", ProviderRejected("the mail relay refuses the mail"))
    async with change(env, doubles) as handle:
        await doubles.conduct.attempts("mail_address_token", 1)
        await env.fast_forward(handle, DAY + 1)
        assert (await handle.result()).state == ChangeState.EXPIRED


async def test_two_confirmations_at_once_are_one_change(env: WorkflowEnvironment) -> None:
    doubles = AddressDoubles()
    confirming = doubles.conduct.hold("confirm_address")
    async with change(env, doubles) as handle:
        both = [asyncio.create_task(confirm(handle)) for _ in range(2)]
        await confirming.reached.wait()
        confirming.release.set()
        assert [(await one).state for one in both] == ["changed", "changed"]
        await handle.result()

    assert doubles.conduct.count("confirm_address") == 1
