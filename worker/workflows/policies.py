"""Named time-outs and retries: the only place with numbers.

What must not be retried is said by the error itself (`retryable` in the error tree, translated by the activity
interceptor), not guessed here.
"""

from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType


class Local(TypedDict, total=False):
    """Options of a local activity."""

    schedule_to_start_timeout: timedelta
    start_to_close_timeout: timedelta
    retry_policy: RetryPolicy
    cancellation_type: ActivityCancellationType


class Remote(TypedDict, total=False):
    """Options of an activity."""

    start_to_close_timeout: timedelta
    schedule_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy
    cancellation_type: ActivityCancellationType


DATABASE: Local = {
    # One short transaction; tried until MySQL is back, since an accepted order is never given up.
    "start_to_close_timeout": timedelta(seconds=15),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=200), backoff_coefficient=2, maximum_interval=timedelta(seconds=10)
    ),
}

# By default a cancelled workflow goes on while the step it asked for still runs, and would void a payment that is
# authorised a moment later. Orders wait for the step, and must look for the cancellation themselves afterwards.
_WAIT = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED

RECORDING: Local = {**DATABASE, "cancellation_type": _WAIT}

OUTSIDE: Remote = {
    # A call to a provider (5 s) and its record. A worker that died is noticed after the start-to-close
    # time-out, so it is as short as an honest call allows; the idempotency key makes the repeat safe.
    "start_to_close_timeout": timedelta(seconds=10),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=500), backoff_coefficient=2, maximum_interval=timedelta(seconds=30)
    ),
}

EVENT: Remote = {
    # Reads what happened from its owner and may have to give money back: several calls in a row.
    **OUTSIDE,
    "start_to_close_timeout": timedelta(seconds=30),
}

STEP: Remote = {**OUTSIDE, "cancellation_type": _WAIT}

CHARGE: Remote = {
    # Two calls in a row, each with its own key and its own record: a repeat goes on where the first got to.
    **STEP,
    "start_to_close_timeout": timedelta(seconds=15),
}

CHARGE_AND_FULFIL: Remote = {
    # Three calls in a row, in the same way.
    **STEP,
    "start_to_close_timeout": timedelta(seconds=20),
}

CHARGE_WITHIN_TASK: Local = {
    # The same, tried once: what does not go well is done again in steps that wait in the queue, where people see them. A
    # task that would have to wait for a thread does not.
    "schedule_to_start_timeout": timedelta(seconds=2),
    "start_to_close_timeout": timedelta(seconds=20),
    "retry_policy": RetryPolicy(maximum_attempts=1),
    "cancellation_type": _WAIT,
}

ASKING: Remote = {
    # Nothing depends on the answer: one that does not come is asked for again after the next wait.
    **EVENT,
    "cancellation_type": _WAIT,
    "retry_policy": RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=3),
}

REVERSAL: Remote = {
    # Several calls in a row.
    "cancellation_type": _WAIT,
    "start_to_close_timeout": timedelta(seconds=30),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1), backoff_coefficient=2, maximum_interval=timedelta(minutes=1)
    ),
}

COMPARISON: Remote = {
    # Reads three books; heartbeats between steps, so a dead worker is noticed long before the hour is over.
    "start_to_close_timeout": timedelta(hours=1),
    "heartbeat_timeout": timedelta(minutes=2),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1), backoff_coefficient=3, maximum_interval=timedelta(minutes=1)
    ),
}

PART: Remote = {
    # One part of a comparison: reads files of its own run, and is done again on another worker when its own dies.
    **COMPARISON,
    "start_to_close_timeout": timedelta(minutes=20),
}

REPORT: Remote = {
    "start_to_close_timeout": timedelta(minutes=2),
    "retry_policy": RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30)),
}


DATABASE_AFTERWARDS: Remote = {
    # One transaction at the end of a run that is stored already: the next run does it too, so it is given up soon.
    "start_to_close_timeout": timedelta(seconds=30),
    "schedule_to_close_timeout": timedelta(minutes=10),
    "retry_policy": RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30)),
}

NOTICES: Remote = {
    # A few endpoints, ten seconds each at most; what is left after five tries is sent by the next run.
    "start_to_close_timeout": timedelta(minutes=5),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=2),
        backoff_coefficient=3,
        maximum_interval=timedelta(minutes=1),
        maximum_attempts=5,
    ),
}


SENDING: Remote = {
    # One call to somebody else's endpoint (15 s) between two short transactions. What the endpoint answers is no
    # failure; these are MySQL away, or more under way to the endpoint than it is given.
    "start_to_close_timeout": timedelta(seconds=45),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1), backoff_coefficient=2, maximum_interval=timedelta(minutes=1)
    ),
}


def delivery(patience_seconds: int) -> Remote:
    """Deliver an event; an order that is not there yet is waited for, up to `patience_seconds`."""
    return {
        "start_to_close_timeout": timedelta(seconds=30),
        "schedule_to_close_timeout": timedelta(seconds=patience_seconds),
        "retry_policy": RetryPolicy(
            initial_interval=timedelta(seconds=1), backoff_coefficient=2, maximum_interval=timedelta(minutes=1)
        ),
    }
