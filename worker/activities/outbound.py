"""Activities of webhooks we send."""

import asyncio

from temporalio import activity

from worker.contract.outbound import Notification
from worker.services.outbound import OutboundService, Told
from worker.services.ports import OutboundGateway


class OutboundActivities:
    """Steps of NotificationWorkflow. Async: a slow endpoint costs a socket, not a thread."""

    def __init__(self, outbound: OutboundService, gateway: OutboundGateway) -> None:
        self._outbound = outbound
        self._gateway = gateway

    @activity.defn
    async def send_message(self, notification: Notification) -> Told:
        """Send a message once and note what came of it.

        Killed between the two it is sent again, under the same id: at least once is what is promised.
        """
        message_id, subscription = notification.message_id, notification.subscription
        message = await asyncio.to_thread(self._outbound.to_send, message_id, subscription)
        if isinstance(message, Told):
            return message
        reply = await self._gateway.post(subscription, message_id, message.body)
        return await asyncio.to_thread(self._outbound.settle, message, reply)
