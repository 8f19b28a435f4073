"""`make demo`: the main job as a story of about two minutes. Exits 1 if a promise is broken, so it is a test too.

How many orders and which dice is said by arguments, or by ORDERS_DEMO__ORDERS and ORDERS_DEMO__SEED where `make` starts
it. Exit status besides: 2 wrong arguments, 130 interrupted.
"""

import argparse
import asyncio
import os
import random
import re
import shutil
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from infra.local.errors import StackError
from infra.local.layout import PROJECT
from infra.local.members import FOR_PEOPLE
from infra.local.stack import Stack
from infra.local.story.books import Books, charged_more_than_once
from infra.local.story.narrator import Narrator
from infra.local.story.reconciling import (
    Tampered,
    promise_accounted,
    promise_alerted,
    promise_found,
    promise_repaired,
    run_schedule,
    tamper,
    workflow_query,
)
from infra.local.story.selling import Sold, crash, sell
from infra.local.story.world import World, until
from infra.local.supervised import State, Supervised
from worker.cli.complaints import EXIT_BREAKS
from worker.config import load
from worker.connections import reading
from worker.contract.names import WorkflowType
from worker.domain.order import OrderState
from worker.temporal.client import connect
from worker.temporal.codec import converter_of

DIRECTORY = PROJECT / ".local" / "demo"
REPORTS = DIRECTORY / "reports"
"""Where the reports and the pages over them outlive the stack."""
GRACE_SECONDS = 5
CHAPTERS = 8
FEWEST = 40
"""Fewer orders would not have one of each kind that the story tells of."""


async def story(directory: Path, reports: Path, count: int, seed: int) -> int:
    """Tell the story; return the exit code."""
    tell = Narrator(CHAPTERS)
    dice = random.Random(seed)
    tell.chapter("Start the shop's world: Temporal, MariaDB, the outside companies, gateway, worker")
    started = time.monotonic()

    def ready(member: Supervised) -> None:
        if member.state is State.READY and member.restarts == 0:
            tell.say(f"[green]ready[/] {member.name:<10} {time.monotonic() - started:4.1f} s")

    async with Stack(directory, members=FOR_PEOPLE, on_change=ready) as stack:
        os.environ.update(stack.env)
        config = load()
        client = await connect(config.temporal, converter_of(config.encryption))
        ui = stack.url("temporal_ui")
        async with World(stack) as world:
            with reading(config) as database:
                books = Books(database, client, config.shop.name)
                tell.where(f"{ui} (Temporal UI, while the demo runs)")
                tell.chapter("A user registers and confirms the address")
                await _register(world, tell)
                tell.chapter(f"{count} orders, through signed webhooks and the API")
                sold = await sell(world, tell, count - 4, dice)
                tell.where(workflow_query(ui, WorkflowType.ORDER))
                tell.chapter("kill -9 of the worker while payments are in flight")
                await crash(stack, world, tell, sold, dice)
                tell.chapter("Every order ends, and nobody is charged twice")
                await _drain(world, tell, books, sold)
                tell.chapter("Somebody tampers with the provider's books")
                tampered = await tamper(world, tell, books, sold)
                await asyncio.sleep(GRACE_SECONDS + 1)  # what is younger than its grace is pending, not a break
                tell.chapter("The Temporal Schedule reconciles shop, provider and warehouse")
                first = await run_schedule(client)
                tell.show((await stack.cli("reconcile", "show", first.run_id)).out)
                promise_found(tell, books, sold, tampered)
                tell.say(
                    f"{first.repairs_requested} repairs: the lost messages are delivered again, by the webhooks' own path"
                )
                tell.chapter("Run it again: what was repaired is resolved, what was tampered with persists")
                await _repaired(books, sold, tampered)
                await asyncio.sleep(GRACE_SECONDS + 1)
                second = await run_schedule(client)
                tell.show((await stack.cli("reconcile", "show", second.run_id)).out)
                promise_repaired(tell, books, sold, tampered)
                await promise_alerted(world, tell, books)
                promise_accounted(tell, first, second)
                await _statement(stack, world, tell, directory, tampered)
                shutil.rmtree(reports, ignore_errors=True)
                shutil.copytree(Path(config.store.path) / "reports", reports)
        tell.close()
    elapsed = time.monotonic() - started
    tell.say(f"\nreport:   {reports / Path(second.report).relative_to('reports')}   ({elapsed:.0f} s in all)")
    tell.say(f"all runs: {reports / 'index.html'}")
    if directory == DIRECTORY:
        tell.say("look around in it: make dev WORLD=demo")
    if tell.broken:
        tell.say(f"[bold red]broken: {', '.join(tell.broken)}[/]")
        return 1
    return 0


async def _register(world: World, tell: Narrator) -> None:
    status, _ = await world.post("/users", {"user_id": "ada", "email": "ada@shop.example"})
    mails: list[dict[str, str]] = []

    async def mailed() -> bool:
        answer = await world.control("GET", "/mail?to=ada@shop.example")
        mails[:] = answer["data"] if isinstance(answer, dict) else answer
        return bool(mails)

    await until("the confirmation mail", mailed, 30)
    token = re.search(r"^([A-Za-z0-9_-]{40,})\s*$", mails[-1]["text"], re.MULTILINE)
    assert token is not None
    wrong, _ = await world.post("/users/ada/confirm", {"token": "x" * 43}, key=False)
    right, answer = await world.post("/users/ada/confirm", {"token": token.group(1)}, key=False)
    tell.say(f"POST /users {status}, mail caught, a wrong token {wrong}, the mailed one {right}: {answer.get('state')}")
    tell.promise(
        "only the mailed token confirms", (wrong, right, answer.get("state")) == (422, 200, "active"), "422, 200"
    )


async def _drain(world: World, tell: Narrator, books: Books, sold: Sold) -> None:
    waiting = frozenset({OrderState.AWAITING_PAYMENT, OrderState.FULFILLING})
    still = {*sold.payment_unheard, *sold.parcel_unheard}
    over = [order_id for order_id in sold.known if order_id not in still]

    async def settled() -> bool:
        return books.settled(over) and books.settled(sorted(still), waiting=waiting)

    await until("all orders to end", settled, max(120.0, sold.count * 0.8))

    async def delivered() -> bool:
        return (await world.deliveries()).get("pending", 0) == 0

    await until("all webhooks to be delivered", delivered, 60)
    states = books.states()
    tell.say("  ".join(f"{state} {number}" for state, number in sorted(states.items())))
    twice = await charged_more_than_once(world)
    crashed = await world.charges_by_order()
    once = all(crashed.get(order_id, (0, 0))[0] == 1 for order_id in sold.in_flight)
    tell.promise(
        "no customer is charged twice",
        not twice and once,
        f"{len(crashed)} orders charged at the provider, {len(twice)} of them twice; "
        f"the {len(sold.in_flight)} caught by kill -9: one charge each",
    )
    orders = books.orders()
    lost = [order_id for order_id in sold.known if order_id not in orders]
    tell.promise(
        "no accepted order is lost", not lost, f"{len(sold.known)} accepted, {len(sold.known) - len(lost)} in our books"
    )
    wrong = [o for o in (*sold.declined, *sold.unshippable) if orders[o].captured_minor != orders[o].refunded_minor]
    tell.promise(
        "an order that fails keeps no money",
        not wrong,
        f"{len(sold.declined)} declined, {len(sold.unshippable)} unshippable and refunded: net 0",
    )
    runs, events = await books.runs_of_events()
    duplicates = (await world.deliveries()).get("delivered", 0) - events
    tell.promise(
        "an event counts once",
        runs == events,
        f"{events} events, {max(duplicates, 0)} more deliveries of them, {runs} runs",
    )


async def _repaired(books: Books, sold: Sold, tampered: Tampered) -> None:
    lost = [*sold.unheard, *sold.payment_unheard, *sold.parcel_unheard]

    async def over() -> bool:
        return books.settled(lost) and books.orders()[tampered.given_back].refunded_minor > 0

    await until("the repaired orders to end", over, 60)


async def _statement(stack: Stack, world: World, tell: Narrator, directory: Path, tampered: Tampered) -> None:
    """Import the provider's own statement file; it must say what its API said."""
    now = datetime.now(UTC)
    period = urlencode({"start": (now - timedelta(days=1)).isoformat(), "end": (now + timedelta(days=1)).isoformat()})
    file = directory / "payout_reconciliation.csv"
    file.write_text(str(await world.control("GET", f"/provider/reports/payout_reconciliation.csv?{period}")))
    answer = await stack.cli("statements", "import", str(file))
    tell.say(f"orders statements import {file.name}")
    tell.show(answer.out + answer.err)
    tell.promise(
        "the provider's own statement file says the same",
        answer.status == EXIT_BREAKS and all(order_id in answer.out for order_id in tampered.lasting),
        "the three orders with a false charge are in it too",
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; Ctrl-C and SIGTERM end it with everything it started."""
    asked = _read(arguments)

    async def run() -> int:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await story(DIRECTORY, REPORTS, asked.orders, asked.seed)

    try:
        return asyncio.run(run())
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("stopped", file=sys.stderr)
        return 130
    except (StackError, TimeoutError) as problem:
        print(f"demo: {problem}\nlogs: {DIRECTORY / 'logs'}", file=sys.stderr)
        return 1


def _read(arguments: list[str] | None) -> argparse.Namespace:
    # Taken out of the environment, in which the programs of the stack would find variables that are no settings of theirs.
    orders, seed = os.environ.pop("ORDERS_DEMO__ORDERS", "100"), os.environ.pop("ORDERS_DEMO__SEED", "2026")
    parser = argparse.ArgumentParser(prog="python -m infra.local.demo", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--orders",
        type=_enough,
        default=orders,
        metavar="N",
        help=f"how many are placed, {FEWEST} at least (default: %(default)s, or ORDERS_DEMO__ORDERS)",
    )
    parser.add_argument(
        "--seed", type=int, default=seed, metavar="N", help="of the dice: the same number repeats a run (%(default)s)"
    )
    return parser.parse_args(arguments)


def _enough(text: str) -> int:
    if not text.isdecimal() or int(text) < FEWEST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of orders: {FEWEST} at least")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
