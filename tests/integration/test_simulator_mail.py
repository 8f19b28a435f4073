"""The mailbox of the simulated world, through real SMTP."""

import asyncio
import smtplib
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.integration.outside_world import HOST, OutsideWorld


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[OutsideWorld]:
    async with OutsideWorld(tmp_path) as running:
        yield running


def message(to: str, subject: str = "Your order") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "orders@shop.example", to, subject
    mail["Message-ID"] = "<order-1@shop.example>"
    mail.set_content("Grüße, your parcel has left.\n")
    return mail


def send(port: int, mail: EmailMessage, *recipients: str) -> None:
    with smtplib.SMTP(HOST, port, timeout=60) as relay:
        relay.send_message(mail, to_addrs=recipients or None)


async def test_a_mail_is_kept_with_its_text_decoded(world: OutsideWorld) -> None:
    await asyncio.to_thread(send, world.smtp_port, message("a@buyer.example", "Łódź"))

    (kept,) = (await world.call("GET", "/_sim/mail")).body["data"]

    assert (kept["to"], kept["subject"]) == ("a@buyer.example", "Łódź")
    assert kept["text"].strip() == "Grüße, your parcel has left."
    assert kept["message_id"] == "<order-1@shop.example>"
    assert kept["at"].endswith("+00:00")


async def test_each_recipient_finds_only_their_own(world: OutsideWorld) -> None:
    await asyncio.to_thread(send, world.smtp_port, message("a@buyer.example"), "a@buyer.example", "b@buyer.example")
    await asyncio.to_thread(send, world.smtp_port, message("b@buyer.example", "Second"))

    mine = (await world.call("GET", "/_sim/mail?to=b@buyer.example")).body["data"]

    assert [mail["subject"] for mail in mine] == ["Your order", "Second"]
    assert (await world.call("GET", "/_sim/mail?to=nobody@buyer.example")).body["data"] == []


async def test_the_sink_refuses_for_now_as_often_as_told(world: OutsideWorld) -> None:
    assert (await world.call("PUT", "/_sim/mail", {"refuse": 1})).status == 200

    with pytest.raises(smtplib.SMTPDataError) as refused:
        await asyncio.to_thread(send, world.smtp_port, message("a@buyer.example"))
    await asyncio.to_thread(send, world.smtp_port, message("a@buyer.example", "Again"))

    assert refused.value.smtp_code == 451
    assert [mail["subject"] for mail in (await world.call("GET", "/_sim/mail")).body["data"]] == ["Again"]


async def test_mail_outlives_a_restart(tmp_path: Path) -> None:
    async with OutsideWorld(tmp_path) as world:
        await asyncio.to_thread(send, world.smtp_port, message("a@buyer.example"))
    async with OutsideWorld(tmp_path) as world:
        assert len((await world.call("GET", "/_sim/mail")).body["data"]) == 1


async def test_an_idle_client_does_not_keep_the_sink_from_closing(tmp_path: Path) -> None:
    async with OutsideWorld(tmp_path) as world:
        reader, writer = await asyncio.open_connection(HOST, world.smtp_port)
        assert (await reader.readline()).startswith(b"220")
    async with asyncio.timeout(60):
        assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("body", [{}, {"refuse": -1}, {"refuse": True}, {"refuse": "1"}, {"refuse": 1, "more": 2}])
async def test_settings_that_make_no_sense_are_refused(world: OutsideWorld, body: dict[str, object]) -> None:
    assert (await world.call("PUT", "/_sim/mail", body)).status == 400


async def test_a_webhook_of_the_worker_is_kept_as_it_came(world: OutsideWorld) -> None:
    taken = await world.call("POST", "/hooks/alerts", {"type": "x"}, headers={"webhook-id": "n-1"})
    assert taken.status == 200
    (kept,) = (await world.call("GET", "/_sim/hooks/alerts")).body["data"]
    assert (kept["webhook_id"], kept["document"], kept["body"]) == ("n-1", {"type": "x"}, '{"type": "x"}')
    assert (await world.call("POST", "/hooks/alerts", raw=b"not json")).status == 400
    assert (await world.call("GET", "/_sim/hooks/other")).body["data"] == []
