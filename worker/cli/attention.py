"""`orders attention list`: what does not get on without a person."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from worker.cli.dialogue import ask
from worker.cli.options import Noun, examples
from worker.cli.output import as_json, print_json, print_table, remark, when
from worker.cli.settings import load
from worker.connections import reading
from worker.domain.order import Order, OrderState
from worker.domain.stuck import StuckStep

if TYPE_CHECKING:
    from worker.config import WorkerConfig
    from worker.temporal.failing_tasks import FailingTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """One thing that waits for a person: `do` is the next command or step."""

    kind: str
    id: str
    since: datetime | None
    why: str
    do: str


@click.group(cls=Noun)
def command() -> None:
    """What does not get on without a person."""


@command.command("list", epilog=examples("orders attention list", "orders attention list --limit 10 --json"))
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 1000), help="How many of each kind.")
@as_json
def list_matters(limit: int, *, as_json: bool) -> None:
    """List what does not get on without a person. Exits 1 when there is anything.

    A step of a workflow that has failed for longer than worker.stuck_after_seconds (it is tried on), an order whose
    money could not be given back, a workflow whose own code fails until a release mends it.
    """
    config = load()
    steps, orders = _from_books(config, limit)
    tasks = _from_temporal(config, limit)
    if tasks is None:
        remark("this Temporal server does not tell which workflows' code fails (1.30 and later do)")
    matters = [
        *(_of_step(step) for step in steps),
        *(_of_order(order) for order in orders),
        *(_of_task(task) for task in tasks or ()),
    ]
    if as_json:
        print_json(matters)
    else:
        print_table(
            "what waits for a person",
            ["kind", "id", "since (UTC)", "why", "do"],
            [(each.kind, each.id, when(each.since), each.why, each.do) for each in matters],
            least=("since (UTC)", "kind"),
        )
    if matters:
        raise click.exceptions.Exit(1)


def _from_books(config: "WorkerConfig", limit: int) -> tuple[list[StuckStep], list[Order]]:
    from worker.gateways.clock import SystemClock
    from worker.services.stuck import StuckSteps

    with reading(config) as database:
        stuck = StuckSteps(database, SystemClock(), timedelta(seconds=config.worker.stuck_after_seconds))
        state = OrderState.NEEDS_ATTENTION.value
        orders = database.transact(lambda tx: tx.orders.recent(config.shop.name, state=state, limit=limit))
        return stuck.listed(limit), orders


def _from_temporal(config: "WorkerConfig", limit: int) -> "list[FailingTask] | None":
    from worker.temporal.failing_tasks import failing_tasks

    return ask(config, lambda client: failing_tasks(client, limit))


def _of_step(step: StuckStep) -> Matter:
    return Matter(
        kind="step",
        id=step.workflow_id,
        since=step.since,
        why=f"{step.activity} failed {step.attempts} times, last with {step.code}: {step.message}",
        do="mend what it says; it is tried on by itself, or now by `orders order retry`",
    )


def _of_order(order: Order) -> Matter:
    return Matter(
        kind="order",
        id=f"{order.shop}/{order.order_id}",
        since=order.updated_at,
        why=order.state_reason,
        do=f"orders order show {order.order_id}; settle it, then orders order resolve {order.order_id} --reason WHY",
    )


def _of_task(task: "FailingTask") -> Matter:
    return Matter(
        kind="code",
        id=task.workflow_id,
        since=task.started_at,
        why=f"{task.workflow}: {', '.join(task.problems)}",
        do="read the worker's log for this workflow id; roll the release back, or deploy a mended one",
    )
