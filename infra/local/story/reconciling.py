"""Chapters: somebody tampers with the provider's books; the schedule runs, finds it all, repairs what is safe."""

import asyncio
from dataclasses import dataclass

from temporalio.client import Client

from infra.local.story.books import Books
from infra.local.story.narrator import Narrator
from infra.local.story.selling import Sold
from infra.local.story.world import World, until
from worker.contract.names import WorkflowType
from worker.contract.reconciliation import ReconciliationResult
from worker.domain.finding import FindingKind
from worker.domain.order import OrderState
from worker.temporal.schedule_control import describe, trigger

SCHEDULE = "reconcile-main-stripe"


@dataclass(frozen=True, kw_only=True)
class Tampered:
    """Order ids by what was done to the provider's books, and the break it must become."""

    expected: dict[str, FindingKind]
    given_back: str
    """The order whose refund nobody told us of: the provider gave the money back, so it is booked, not questioned."""

    @property
    def lasting(self) -> set[str]:
        """What no repair can make true: it waits for a person."""
        return set(self.expected) - {self.given_back}


async def tamper(world: World, tell: Narrator, books: Books, sold: Sold) -> Tampered:
    """Corrupt the provider's books for four completed orders; no event tells of it."""
    orders = books.orders()
    victims = [o for o in sold.api + sold.shop if orders[o].state is OrderState.COMPLETED][:4]
    dropped, changed, refunded, doubled = victims
    half = orders[changed].total_minor // 2
    part = min(500, orders[refunded].total_minor)
    for action, order_id, more in (
        ("drop_charge", dropped, {}),
        ("change_amount", changed, {"amount": half}),
        ("refund_silently", refunded, {"amount": part}),
        ("charge_twice", doubled, {}),
    ):
        await world.control("POST", "/provider/tamper", {"action": action, "order_id": order_id, **more})
        tell.say(f"{action.replace('_', ' ')}: order {order_id}")
    return Tampered(
        expected={
            dropped: FindingKind.MISSING_EXTERNAL,
            changed: FindingKind.AMOUNT_UNDER,
            refunded: FindingKind.REFUND_EXCEEDS,
            doubled: FindingKind.DUPLICATE_EXTERNAL,
        },
        given_back=refunded,
    )


async def run_schedule(client: Client) -> ReconciliationResult:
    """Trigger the declared schedule, as an operator would, and wait for the run it starts."""
    before = {run.workflow_id for run in (await describe(client, SCHEDULE)).recent}
    await trigger(client, SCHEDULE)
    started: list[str] = []

    async def fired() -> bool:
        now = (await describe(client, SCHEDULE)).recent
        started[:] = [run.workflow_id for run in now if run.workflow_id not in before]
        return bool(started)

    await until("the schedule to start its workflow", fired, 30)
    handle = client.get_workflow_handle(started[-1], result_type=ReconciliationResult)
    return await asyncio.wait_for(handle.result(), 90)


def promise_found(tell: Narrator, books: Books, sold: Sold, tampered: Tampered) -> None:
    """Check that the breaks are exactly what was injected."""
    breaks = {item.finding.order_id: item.finding.kind for item in books.breaks("open")}
    payments = {
        item.finding.order_id: item.finding.kind
        for item in books.breaks("open")
        if item.finding.order_id in tampered.expected
    }
    lost = {*sold.unheard, *sold.payment_unheard, *sold.parcel_unheard}
    injected = lost | set(tampered.expected)
    extra, missed = sorted(set(breaks) - injected), sorted(injected - set(breaks))
    right = payments == tampered.expected and not extra and not missed
    evidence = f"{len(injected)} orders were harmed, {len(breaks)} reported"
    if not right:
        evidence += f"; extra {extra}, missed {missed}, classes {payments}"
    tell.promise("every difference is found, and nothing else", right, evidence)


def promise_repaired(tell: Narrator, books: Books, sold: Sold, tampered: Tampered) -> None:
    """Check that what was lost is whole again and what was tampered with persists for a person."""
    resolved = {item.finding.order_id for item in books.breaks("resolved")}
    still = {item.finding.order_id for item in books.breaks("open")}
    lost = {*sold.unheard, *sold.payment_unheard, *sold.parcel_unheard, tampered.given_back}
    tell.promise(
        "what is safe to repair is repaired",
        lost <= resolved and not lost & still,
        f"{len(lost & resolved)} of {len(lost)} orders with lost messages are whole again",
    )
    tell.promise(
        "what is not safe waits for a person",
        still == tampered.lasting,
        f"{len(still)} of {len(tampered.lasting)} orders with a false charge persist as breaks",
    )


def promise_accounted(tell: Narrator, *results: ReconciliationResult) -> None:
    """Check that the runs explained the whole difference; what they did not would make them incomplete."""
    verdicts = ", ".join(result.verdict for result in results)
    tell.promise(
        "every run explains itself to the cent",
        all(result.verdict != "incomplete" for result in results),
        f"{len(results)} runs, verdicts {verdicts}; unexplained residual 0 in every currency",
    )


async def promise_alerted(world: World, tell: Narrator, books: Books) -> None:
    """Check that everything open was told once, in one message to each endpoint."""
    hooks = (await world.control("GET", "/hooks/alerts"))["data"]
    mails = (await world.control("GET", "/mail?to=finance@shop.example"))["data"]
    about = [hook["document"]["data"] for hook in hooks if hook["document"]["type"].endswith(".opened")]
    breaks = [each for each in about if each["rule"] == "open_breaks"]
    told = f"{breaks[0]['count']} breaks" if breaks else "nothing"
    tell.promise(
        "one alert tells of all breaks, once",
        len(breaks) == 1 and len({hook["webhook_id"] for hook in hooks}) == len(hooks) == len(mails),
        f"one signed webhook and one mail about {told}; {len(books.breaks('open'))} are open now",
    )


def workflow_query(address: str, workflow_type: WorkflowType) -> str:
    """Return the link to the UI's list of a workflow type."""
    return f"{address}/namespaces/default/workflows?query=WorkflowType%3D%22{workflow_type}%22"
