"""A workflow that says everything there is to say: input, memo, details, answers, results, failures, heartbeats."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

ONCE = RetryPolicy(maximum_attempts=2, initial_interval=timedelta(milliseconds=10))


@activity.defn
async def confide(words: str) -> str:
    if not activity.info().is_local:
        activity.heartbeat(words)
    return f"heard {words}"


@activity.defn
async def blab(words: str) -> None:
    raise ApplicationError(f"refused: {words}", {"detail": words}, type="blabbed")


@workflow.defn
class Confiding:
    """Tells what it is told to its activities, until it is told to stop."""

    @workflow.init
    def __init__(self, words: str) -> None:
        self.heard: list[str] = [words]
        self.over = False

    @workflow.run
    async def run(self, words: str) -> list[str]:
        bound = {"start_to_close_timeout": timedelta(seconds=20), "summary": f"about {words}"}
        self.heard.append(await workflow.execute_local_activity(confide, words, start_to_close_timeout=timedelta(20)))
        self.heard.append(await workflow.execute_activity(confide, words, **bound))  # type: ignore[call-overload]
        try:
            await workflow.execute_activity(blab, words, retry_policy=ONCE, **bound)  # type: ignore[call-overload]
        except ActivityError as error:
            self.heard.append(str(error.cause))
        workflow.set_current_details(f"details of {words}")
        workflow.upsert_memo({"told": words})
        await workflow.wait_condition(lambda: self.over)
        await asyncio.sleep(0)
        return self.heard

    @workflow.signal
    def hear(self, words: str) -> None:
        self.heard.append(words)

    @workflow.query
    def so_far(self) -> list[str]:
        return self.heard

    @workflow.update
    async def answer(self, words: str) -> str:
        if "never" in words:
            raise ApplicationError(f"I do not answer {words}", type="refused")
        self.heard.append(words)
        return f"yes, {words}"

    @workflow.update
    async def stop(self, words: str) -> None:
        self.over = True
        if "badly" in words:
            raise ApplicationError(words)


@workflow.defn
class Failing:
    """Ends with a failure that says what it was told."""

    @workflow.run
    async def run(self, words: str) -> None:
        raise ApplicationError(f"failed over {words}", [words], type="told", non_retryable=True)
