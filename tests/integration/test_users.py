"""Users from their registration to their erasure, through the real worker, database and mail relay."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.service import RPCError

from tests.integration.office import Office
from tests.integration.temporal_namespace import fresh_namespace
from tests.integration.test_breaks_cli import orders
from tests.integration.test_worker_versions import worker_of
from worker.app import compose
from worker.config import load
from worker.connections import user_keys_of
from worker.contract.ids import address_workflow_id, order_workflow_id, user_workflow_id
from worker.contract.names import Queue, UserMessage, WorkflowType
from worker.contract.orders import OrderLine, PaymentMode, PlaceOrder
from worker.contract.shipping import ShipTo
from worker.contract.users import AddressStatus, ChangeAddress, ConfirmUser, RegisterUser, UserStatus
from worker.domain.errors import Conflict, NotFound
from worker.domain.user import AddressChange, UserState
from worker.repositories.database import MysqlDatabase
from worker.services.erasure import GUEST
from worker.temporal.codec import converter_of

REASON = ("--reason", "asked on 2026-11-28")
PATIENCE = 60


class Desk:
    """A client of the functions, in short words."""

    def __init__(self, office: Office, client: Client, name: str) -> None:
        self.office = office
        self.client = client
        self.user_id = f"u-{name}"
        self.old, self.new = f"old-{name}@buyer.example", f"new-{name}@buyer.example"

    @property
    def now(self) -> str:
        return self.office.clock.now().isoformat()

    async def register(self) -> WorkflowHandle[object, UserStatus]:
        request = RegisterUser(user_id=self.user_id, email=self.old, registered_at=self.now)
        return await self.client.start_workflow(
            WorkflowType.USER,
            request,
            id=user_workflow_id(self.user_id),
            task_queue=Queue.USERS,
            result_type=UserStatus,
        )

    async def activate(self) -> None:
        registration = await self.register()
        await registration.execute_update(UserMessage.CONFIRM, await self.token(self.old), result_type=UserStatus)
        assert (await registration.result()).state == "active"

    async def change(self, change_id: str) -> WorkflowHandle[object, AddressStatus]:
        request = ChangeAddress(user_id=self.user_id, change_id=change_id, email=self.new, asked_at=self.now)
        return await self.client.start_workflow(
            WorkflowType.ADDRESS_CHANGE,
            request,
            id=address_workflow_id(self.user_id, change_id),
            task_queue=Queue.USERS,
            result_type=AddressStatus,
        )

    async def mails(self, address: str, number: int = 1) -> list[dict[str, str]]:
        """Wait until so many mails came to an address."""
        async with asyncio.timeout(PATIENCE):
            while True:
                listed = await asyncio.to_thread(self.office.outside.control, "GET", f"/mail?to={address}")
                if len(listed["data"]) >= number:
                    return list(listed["data"])
                await asyncio.sleep(0.05)

    async def token(self, address: str, number: int = 1) -> ConfirmUser:
        text = (await self.mails(address, number))[-1]["text"]
        return ConfirmUser(token_sha256=hashlib.sha256(text.split()[-1].encode()).hexdigest())

    async def user(self) -> tuple[str, UserState]:
        user = await asyncio.to_thread(self.office.database.transact, lambda tx: tx.users.get(self.user_id))
        assert user is not None
        return user.email, user.state

    def changes(self, *ids: str) -> list[AddressChange | None]:
        return self.office.database.transact(lambda tx: [tx.address_changes.get(self.user_id, each) for each in ids])

    def said(self, *arguments: str) -> str:
        return orders("users", *arguments).output


@asynccontextmanager
async def desk_of(office: Office, temporal_server: str, name: str) -> AsyncIterator[Desk]:
    with pytest.MonkeyPatch.context() as patched:
        for variable, value in office.outside.settings.items():
            patched.setenv(variable, value)
        patched.setenv("ORDERS_DATABASE__URL", office.engine.url.render_as_string(hide_password=False))
        patched.setenv("ORDERS_USERS__RESEND_PAUSE_SECONDS", "1")
        config = load()
        keys = user_keys_of(config.encryption, MysqlDatabase(office.engine))
        async with fresh_namespace(temporal_server, converter_of(config.encryption, keys)) as client:
            patched.setenv("ORDERS_TEMPORAL__ADDRESS", temporal_server)
            patched.setenv("ORDERS_TEMPORAL__NAMESPACE", client.namespace)
            application = compose(config, client, office.engine, keys)
            async with worker_of(application, client, "", "users"):
                yield Desk(office, client, name)


async def test_a_token_is_mailed_again_on_wish_and_not_at_once(office: Office, temporal_server: str) -> None:
    async with desk_of(office, temporal_server, "resent") as desk:
        registration = await desk.register()
        await desk.mails(desk.old)
        await asyncio.sleep(1.1)  # the pause of this test's settings
        assert "2 mails sent" in await asyncio.to_thread(desk.said, "resend", desk.user_id, *REASON)
        (first, second) = await desk.mails(desk.old, 2)
        assert first["message_id"] != second["message_id"]
        assert first["text"] == second["text"], "every mail carries the same token"
        await registration.execute_update(UserMessage.CONFIRM, await desk.token(desk.old), result_type=UserStatus)
        with pytest.raises(Conflict, match="nothing to confirm"):
            await asyncio.to_thread(desk.said, "resend", desk.user_id, *REASON)


async def test_a_new_address_is_in_force_when_its_own_token_comes_back_and_the_old_one_is_told(
    office: Office, temporal_server: str
) -> None:
    async with desk_of(office, temporal_server, "moved") as desk:
        await desk.activate()
        first = await desk.change("c1")
        first_token = await desk.token(desk.new)
        second = await desk.change("c2")
        token = await desk.token(desk.new, 2)
        with pytest.raises(WorkflowUpdateFailedError):
            await first.execute_update(UserMessage.CONFIRM, first_token, result_type=AddressStatus)
        with pytest.raises(WorkflowUpdateFailedError):
            await second.execute_update(UserMessage.CONFIRM, first_token, result_type=AddressStatus)
        assert await desk.user() == (desk.old, UserState.ACTIVE)
        await second.execute_update(UserMessage.CONFIRM, token, result_type=AddressStatus)
        assert [(await each.result()).state for each in (first, second)] == ["superseded", "changed"]
        assert await desk.user() == (desk.new, UserState.ACTIVE)
        assert (await desk.mails(desk.old, 2))[-1]["subject"] == "Your address was changed"
        over = await asyncio.to_thread(desk.changes, "c1", "c2")
        assert {(one.email, one.previous) for one in over if one} == {("", "")}, "what is over needs no address"


async def test_who_is_deactivated_gets_no_other_address_and_may_come_back(office: Office, temporal_server: str) -> None:
    async with desk_of(office, temporal_server, "off") as desk:
        await desk.activate()
        pending = await desk.change("c1")
        token = await desk.token(desk.new)
        assert "would be" in await asyncio.to_thread(desk.said, "deactivate", desk.user_id, *REASON, "--dry-run")
        for again in ("is deactivated", "was deactivated before"):
            assert again in await asyncio.to_thread(desk.said, "deactivate", desk.user_id, *REASON, "--yes")
        with pytest.raises(WorkflowUpdateFailedError):
            await pending.execute_update(UserMessage.CONFIRM, token, result_type=AddressStatus)
        assert (await (await desk.change("c2")).result()).state == "refused"
        assert await desk.user() == (desk.old, UserState.DEACTIVATED)
        listed = await asyncio.to_thread(desk.said, "list", "--state", "deactivated", "--json")
        assert [one["user_id"] for one in json.loads(listed)] == [desk.user_id]
        assert "buyer.example" not in listed
        await asyncio.to_thread(desk.said, "reactivate", desk.user_id, *REASON)
        shown = json.loads(await asyncio.to_thread(desk.said, "show", desk.user_id, "--address", "--json"))
        assert (shown["state"], shown["email"]) == ("active", desk.old)
        subject = f"user/{desk.user_id}"
        trail = office.database.transact(lambda tx: tx.audit.about([subject]))[subject]
        assert sorted(entry.record.action for entry in trail) == ["active", "deactivated"]


async def test_erasure_takes_the_addresses_of_changes_and_their_histories(office: Office, temporal_server: str) -> None:
    async with desk_of(office, temporal_server, "erased") as desk:
        await desk.activate()
        change = await desk.change("c1")
        await desk.mails(desk.new)
        said = await asyncio.to_thread(desk.said, "erase", desk.user_id, *REASON, "--yes")
        assert "2 histories deleted" in said
        with pytest.raises(RPCError, match="not found"):
            await change.describe()
        assert await desk.user() == ("", UserState.ERASED)
        (kept,) = await asyncio.to_thread(desk.changes, "c1")
        assert kept is not None
        assert (kept.email, kept.state) == ("", "erased")


async def test_erasure_takes_the_addresses_of_orders_and_their_histories_also_of_who_never_registered(
    office: Office, temporal_server: str
) -> None:
    async with desk_of(office, temporal_server, "ordered") as desk:
        ship_to = ShipTo(recipient="Jane Canary", lines=("Bakery Lane 3",), city="Ghent", country="BE")
        line = OrderLine(sku="MUG", quantity=1, unit_price_minor=2500)
        place = PlaceOrder(
            shop="main",
            order_id="o-ordered",
            currency="EUR",
            total_minor=2500,
            lines=(line,),
            customer_id=desk.user_id,
            payment_mode=PaymentMode.COLLECTED_BY_SHOP,
            placed_at=desk.now,
            ship_to=ship_to,
        )
        erasing = ("erase", desk.user_id, *REASON)
        with pytest.raises(NotFound):
            await asyncio.to_thread(desk.said, *erasing, "--dry-run")
        await asyncio.to_thread(office.orders.record, place)
        await asyncio.to_thread(office.orders.record, replace(place, order_id="o-elsewhere", customer_id="another"))
        with pytest.raises(Conflict, match="o-ordered"):
            await asyncio.to_thread(desk.said, *erasing, "--yes")

        await asyncio.to_thread(office.reverse, "o-ordered")
        # As after a cut-off erasure, or a server that was told late: the books are ahead of the process.
        process = await desk.client.start_workflow(
            WorkflowType.ORDER, place, id=order_workflow_id("main", "o-ordered"), task_queue="nobody"
        )
        dry = await asyncio.to_thread(desk.said, *erasing, "--dry-run")
        assert "not registered, would be erased" in dry
        said = await asyncio.to_thread(desk.said, *erasing, "--yes")
        assert said.splitlines() == [
            f"user {desk.user_id}: was not registered, is erased",
            "1 shipping address of orders removed",
            "Temporal: 1 history deleted",
        ]
        with pytest.raises(RPCError, match="not found"):
            await process.describe()
        known = await asyncio.to_thread(
            office.database.transact,
            lambda tx: [tx.shipping_addresses.of_order("main", each) for each in ("o-ordered", "o-elsewhere")],
        )
        assert [one.ship_to if one else "none" for one in known] == [None, ship_to]
        assert "was erased before" in await asyncio.to_thread(desk.said, *erasing, "--yes")
        subject = f"user/{desk.user_id}"
        (entry,) = office.database.transact(lambda tx: tx.audit.about([subject]))[subject]
        assert (entry.record.action, json.loads(entry.record.detail)["addresses"]) == ("erased", 1)
        with pytest.raises(NotFound):  # many people's name
            await asyncio.to_thread(desk.said, "erase", GUEST, *REASON, "--dry-run")
