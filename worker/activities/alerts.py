"""Activities of alerting: what a run left behind is weighed, what is to be told is sent."""

from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity

from worker.services.alerting import AlertService


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertOrder:
    """Weigh the rules after this run; `interval_seconds` is that of its schedule."""

    run_id: str
    interval_seconds: int


class AlertActivities:
    """Steps of the end of ReconciliationWorkflow."""

    def __init__(self, alerts: AlertService) -> None:
        self._alerts = alerts

    @activity.defn
    def weigh_alerts(self, order: AlertOrder) -> dict[str, str]:
        """Open, repeat and close alerts; return what changed, by rule."""
        return self._alerts.evaluate(order.run_id, timedelta(seconds=order.interval_seconds))

    @activity.defn
    def send_notices(self) -> int:
        """Send what is pending; return how many notices were delivered."""
        return self._alerts.deliver()
