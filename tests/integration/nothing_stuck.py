"""For workers without a database: nothing fails for so long that anybody is told."""

from datetime import timedelta
from typing import cast

from worker.gateways.clock import SystemClock
from worker.services.ports import Database
from worker.services.stuck import StuckSteps

NOTHING_IS_STUCK = StuckSteps(cast("Database", None), SystemClock(), timedelta.max)
