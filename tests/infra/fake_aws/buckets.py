"""A bucket's EventBridge switch: moto stores it and does not tell of it, so that every plan switches it on again."""

from typing import Any

from moto.s3.responses import S3Response as Responses

_ANSWER = (
    '<?xml version="1.0"?><NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<EventBridgeConfiguration/></NotificationConfiguration>"
)


def apply() -> None:
    """Tell of the switch where it is all that is configured."""
    told = Responses.get_bucket_notification

    def notification(self: Any) -> Any:
        stored = self.backend.get_bucket_notification_configuration(self.bucket_name)
        only_bridge = stored is not None and stored.event_bridge is not None
        if only_bridge and not (stored.topic or stored.queue or stored.cloud_function):
            self.data["Action"] = "GetBucketNotificationConfiguration"
            return 200, {}, _ANSWER
        return told(self)

    Responses.get_bucket_notification = notification
