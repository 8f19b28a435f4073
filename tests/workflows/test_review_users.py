"""An address that takes no mail leaves no registration behind."""

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.workflows.doubles import DAY, UserDoubles
from tests.workflows.test_user import registration
from worker.domain.errors import ProviderRejected
from worker.domain.user import UserState

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_registration_whose_mails_are_refused_expires(env: WorkflowEnvironment) -> None:
    doubles = UserDoubles(window_seconds=DAY, reminder_seconds=())
    doubles.conduct.fail("mail_confirmation", ProviderRejected("the mail relay refuses the mail"))
    async with registration(env, doubles) as handle:
        await doubles.conduct.attempts("mail_confirmation", 1)
        await env.fast_forward(handle, DAY + 1)
        status = await handle.result()

    assert (status.state, doubles.state) == (UserState.EXPIRED, UserState.EXPIRED)
