"""The step of NotificationWorkflow under its real name and signature; the answers are told beforehand."""

from temporalio import activity

from tests.workflows.conduct import Conduct
from worker.contract.outbound import Notification
from worker.services.outbound import Told


class OutboundDoubles:
    """Each try answers the next wait; None, and every try after the last, is delivered."""

    def __init__(self, *waits: int, end: str = "delivered") -> None:
        self.conduct = Conduct()
        self._waits = list(waits)
        self._end = end
        self._tries = 0

    @activity.defn
    async def send_message(self, notification: Notification) -> Told:
        async with self.conduct.step("send_message", notification):
            self._tries += 1
            if self._waits:
                return Told(
                    state="pending", attempts=self._tries, wait_seconds=self._waits.pop(0), detail="answered 500"
                )
            return Told(state=self._end, attempts=self._tries)
