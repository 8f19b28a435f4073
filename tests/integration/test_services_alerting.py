"""Alerts from a break to its end: told once, to webhook and mail, at least once and always under the same id."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.integration.office import Office
from tests.integration.own_database import at_once
from worker.domain.alert import AlertRule, AlertState, AlertTrigger
from worker.domain.errors import ProviderUnavailable
from worker.domain.finding import Verdict
from worker.domain.repair_policy import RepairMode, RepairPolicy
from worker.domain.window import Span
from worker.gateways.notifier import Endpoint, EndpointNotifier
from worker.services.alerting import AlertService
from worker.services.ports import Notice, Run, Transaction

_numbers = count(1)
OLD, NEW = "whsec_b2xkLXNlY3JldC1vZi1hbGVydHM=", "whsec_bmV3LXNlY3JldC1vZi1hbGVydHM="
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RULE = AlertRule(name="open_breaks", when=AlertTrigger.BREAKS, to=("ops", "finance"), period=timedelta(days=1))


@dataclass
class Receiver:
    """A webhook endpoint; `answers` are the next statuses, 200 when there are none left."""

    answers: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    @property
    def types(self) -> list[str]:
        return [json.loads(body)["type"].rpartition(".")[2] for _, body in self.got]

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(kept.answers.pop(0) if kept.answers else 200)
            self.send_header("Location", kept.url + "/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield kept
    server.shutdown()
    thread.join()
    server.server_close()


def alerting(office: Office, receiver: Receiver, *rules: AlertRule) -> AlertService:
    endpoints = {
        "ops": Endpoint(url=f"{receiver.url}/hook", secrets=(NEW, OLD)),
        "finance": Endpoint(mail="finance@shop.example"),
    }
    notifier = EndpointNotifier(endpoints, office.outside.mail(), local=True)
    return AlertService(office.database, notifier, office.clock, rules or (RULE,))


def run_of(office: Office, service: AlertService, start: datetime, run_id: str, **more: Any) -> dict[str, str]:
    office.reconcile(office.span(start), run_id, **more)
    return service.evaluate(run_id, HOUR)


def mails(office: Office) -> list[dict[str, Any]]:
    listed = office.outside.control("GET", "/mail?to=finance@shop.example")["data"]
    return [mail for mail in listed if mail["at"] >= (office.clock.now() - timedelta(days=19)).isoformat()]


def broken(office: Office, number: int = 1) -> list[str]:
    made = [f"alert-{next(_numbers)}" for _ in range(number)]
    for order_id in made:
        office.complete(order_id)
        wish = {"action": "refund_silently", "order_id": order_id, "amount": 700}
        office.outside.control("POST", "/provider/tamper", wish)
    return made


def pending(office: Office) -> list[Notice]:
    return office.database.transact(lambda tx: tx.alerts.pending(office.clock.now() - timedelta(days=9)))


def test_three_breaks_over_three_runs_are_one_alert_that_closes_with_the_last_of_them(
    office: Office, receiver: Receiver, start: datetime
) -> None:
    service = alerting(office, receiver)
    before = len(mails(office))
    orders = broken(office, 3)
    assert run_of(office, service, start, "first") == {"open_breaks": "opened"}
    assert service.deliver() == 2
    for run in ("second", "third"):
        assert run_of(office, service, start, run) == {}
        assert service.deliver() == 0
    office.repaired("third")
    assert run_of(office, service, start, "fourth") == {"open_breaks": "closed"}
    assert service.deliver() == 2

    assert receiver.types == ["opened", "closed"]
    (alert,) = office.database.transact(lambda tx: tx.alerts.listed(None, 10))
    assert (alert.state, alert.notices, alert.concern.subjects) == (AlertState.CLOSED, 2, 3)
    headers, body = receiver.got[0]
    for secret in (OLD, NEW):
        told = Webhook(secret).verify(body, headers)
    assert (told["data"]["count"], told["data"]["at_risk"]) == (
        3,
        [{"currency": "EUR", "minor": 2100, "amount": "21.00"}],
    )
    breaks = [each["break_id"] for each in told["data"]["top"]]
    assert len(breaks) == 3
    assert told["data"]["command"] == f"orders alerts show {alert.alert_id}"
    text = body.decode()
    assert not any(order_id in text for order_id in orders), "ids of breaks, not of orders"
    opened, closed = mails(office)[before:]
    assert opened["subject"] == "[opened] open_breaks: main/stripe (3, EUR 21.00 at risk)"
    assert all(f"orders breaks show {each}" in opened["text"] for each in breaks)
    assert closed["subject"].startswith("[closed]")
    assert opened["message_id"] != closed["message_id"]


def test_an_endpoint_that_is_away_gets_the_same_notice_later_and_keeps_no_other_waiting(
    office: Office, receiver: Receiver, start: datetime
) -> None:
    service = alerting(office, receiver)
    before = len(mails(office))
    broken(office)
    run_of(office, service, start, "first")
    receiver.answers = [500, 429]
    for _ in range(2):
        with pytest.raises(ProviderUnavailable, match="ops answered"):
            service.deliver()
    assert len(mails(office)) == before + 1, "the mail went out, once"
    run_of(office, service, start, "second")
    assert service.deliver() == 1
    assert receiver.types == ["opened"] * 3
    assert len(set(receiver.ids)) == 1
    assert pending(office) == []


@pytest.mark.parametrize("status", [301, 400, 401, 410])
def test_an_endpoint_that_refuses_is_not_asked_again_and_not_followed(
    office: Office, receiver: Receiver, start: datetime, status: int
) -> None:
    service = alerting(office, receiver)
    broken(office)
    run_of(office, service, start, "first")
    receiver.answers = [status]
    assert service.deliver() == 1, "the mail"
    assert service.deliver() == 0
    assert len(receiver.got) == 1
    (alert,) = office.database.transact(lambda tx: tx.alerts.listed("open", 10))
    told = office.database.transact(lambda tx: tx.alerts.notices(alert.alert_id))
    assert {notice.endpoint: (notice.outcome, notice.detail) for notice in told} == {
        "ops": ("refused", f"ops answered {status}"),
        "finance": ("delivered", ""),
    }


def test_four_workers_at_once_open_one_alert(office: Office, receiver: Receiver, start: datetime) -> None:
    service = alerting(office, receiver)
    broken(office)
    office.reconcile(office.span(start), "first")
    changes = at_once(4, lambda _: service.evaluate("first", HOUR))
    assert sorted(len(change) for change in changes) == [0, 0, 0, 1]
    assert len(office.database.transact(lambda tx: tx.alerts.listed(None, 10))) == 1
    assert len(pending(office)) == 2


def test_it_is_told_again_after_a_period_and_not_before(office: Office, receiver: Receiver, start: datetime) -> None:
    service = alerting(office, receiver)
    broken(office)
    told = []
    for number in range(4):
        told.append(run_of(office, service, start, f"run-{number}"))
        office.advance(timedelta(hours=10))
    assert told == [{"open_breaks": "opened"}, {}, {}, {"open_breaks": "still_open"}]


def test_an_incomplete_run_raises_an_alert_of_its_own_until_one_is_complete(
    office: Office, receiver: Receiver, start: datetime
) -> None:
    rule = AlertRule(name="incomplete_run", when=AlertTrigger.INCOMPLETE, to=("ops",))
    service = alerting(office, receiver, rule)
    office.outside.fault("GET /stripe/v1/balance_transactions", "status", status=500, times=None)
    assert run_of(office, service, start, "blind", give_up=True) == {"incomplete_run": "opened"}
    office.outside.heal()
    assert run_of(office, service, start, "sees") == {"incomplete_run": "closed"}
    service.deliver()
    reasons = json.loads(receiver.got[0][1])["data"]["reasons"]
    assert any("ledger" in reason for reason in reasons)


def stored(office: Office, run_id: str, source: str, days: tuple[int, int], because: str = "") -> str:
    """Store a run over some days that could not read everything, or did; return its id."""
    at = office.clock.now()
    first = at.replace(hour=0, minute=0, second=0, microsecond=0) - 90 * DAY
    run = Run(
        run_id=run_id,
        shop="main",
        provider="stripe",
        window_start=first + days[0] * DAY,
        window_end=first + days[1] * DAY,
        source=source,
        requested_by="test",
        workflow_id="w",
        started_at=at,
    )
    done = replace(
        run,
        finished_at=at,
        verdict=Verdict.INCOMPLETE if because else Verdict.RECONCILED,
        incomplete_because=(because,) if because else (),
    )

    def work(tx: Transaction) -> None:
        tx.runs.begin(run)
        tx.runs.finish(done, (), ())

    office.database.transact(work)
    return run_id


def test_runs_over_files_and_over_the_api_share_one_alert_that_closes_when_each_is_answered(
    office: Office, receiver: Receiver
) -> None:
    rule = AlertRule(name="incomplete_run", when=AlertTrigger.INCOMPLETE, to=("ops",))
    service = alerting(office, receiver, rule)
    opened, closed = {"incomplete_run": "opened"}, {"incomplete_run": "closed"}
    first, second, whole = "statement:" + "1" * 64, "statement:" + "2" * 64, "statement:" + "3" * 64
    story: list[tuple[str, str, tuple[int, int], str, dict[str, str]]] = [
        ("file", first, (1, 2), "2 rows could not be read", opened),
        ("file of the next day", second, (2, 3), "1 row could not be read", {}),
        ("the API, of neither day", "api", (10, 11), "the ledger could not be read", {}),
        # None of these is an answer to what the files lack.
        ("another file", "statement:" + "4" * 64, (3, 4), "", {}),
        ("a light run", "api/light", (1, 3), "", {}),
        ("the API again", "api", (10, 12), "", {}),
        # The file itself, corrected; then one of the whole week, which tells of the other day too.
        ("the file again", first, (1, 2), "", {}),
        ("the week", whole, (0, 7), "", closed),
        # Closed within the period: open again, and not told again.
        ("a month that lacks a source", "api/close", (0, 30), "the ledger could not be read", {}),
        ("the next month", "api/close", (30, 60), "", {}),
        ("a full run", "api", (0, 60), "", {}),
        ("the month again", "api/close", (0, 30), "", {}),
    ]
    counted = []
    for name, source, days, because, told in story:
        office.advance(timedelta(seconds=1))
        run_id = stored(office, name.replace(" ", "-"), source, days, because)
        assert service.evaluate(run_id, HOUR) == told, name
        assert service.evaluate(run_id, HOUR) == {}, "the activity is done again"
        (alert,) = office.database.transact(lambda tx: tx.alerts.listed(None, 5))
        counted.append(alert.concern.subjects if alert.state is AlertState.OPEN else 0)
    assert counted == [1, 2, 3, 3, 3, 2, 1, 0, 1, 1, 1, 0]
    service.deliver()
    assert receiver.types == ["opened", "closed"]


def test_what_waits_for_a_person_raises_an_alert_of_its_own(
    office: Office, receiver: Receiver, start: datetime
) -> None:
    rule = AlertRule(name="repair_failed", when=AlertTrigger.REPAIR_FAILED, to=("ops",))
    service = alerting(office, receiver, rule)
    (order_id,) = broken(office)
    limited = office.repairing(deliver_refund=RepairPolicy(mode=RepairMode.ON, limits={"EUR": 1}))
    office.reconcile(office.span(start), "first")
    assert service.evaluate("first", HOUR) == {}
    office.repaired("first", limited)
    assert run_of(office, service, start, "second") == {"repair_failed": "opened"}
    service.deliver()
    (top,) = json.loads(receiver.got[0][1])["data"]["top"]
    (item,) = office.database.transact(lambda tx: tx.breaks.open("main", "stripe"))
    assert (top["break_id"], item.finding.order_id) == (item.break_id, order_id)


def test_a_schedule_that_missed_its_windows_is_told_by_the_run_that_makes_up_for_them(
    office: Office, receiver: Receiver, start: datetime
) -> None:
    rule = AlertRule(name="schedule_missed", when=AlertTrigger.SCHEDULE_MISSED, to=("ops",))
    service = alerting(office, receiver, rule)
    office.advance(4 * HOUR)
    end = office.clock.now().replace(microsecond=0)
    by_hand, late, on_time = (Span(end - hours * HOUR, end) for hours in (3, 3, 1))
    for name, span, by, told in (
        ("by_hand", by_hand, "somebody", {}),
        ("late", late, "schedule", {"schedule_missed": "opened"}),
        ("by_hand_again", by_hand, "somebody", {}),
        ("on_time", on_time, "schedule", {"schedule_missed": "closed"}),
    ):
        office.reconcile(span, name, requested_by=by)
        assert service.evaluate(name, HOUR) == told, name
