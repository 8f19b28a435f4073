"""The page of webhooks that are sent: to the programs of shops, and to who is alerted."""

import base64
import json
from datetime import UTC, datetime, timedelta

from infra.docs.markdown import cell, code, fence, prose, section, table
from infra.docs.markdown import page as whole
from infra.docs.told import texts_below
from worker.domain import outbound, timeline
from worker.domain.alert import AlertRule, AlertTrigger, Change
from worker.domain.order import OrderState
from worker.domain.outbound import HAPPENINGS, LADDER, UNTOLD, MessageState, Sums, body_of, message_id_of
from worker.domain.timeline import StateChange, kind_of
from worker.gateways import notifier
from worker.gateways import outbound as gateway
from worker.gateways.webhook_signing import Envelope, signed_by_all
from worker.services import alerting

_AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
_SECRET = "whsec_" + base64.b64encode(b"a secret that nobody uses, at all").decode()


def page() -> str:
    """Return the page."""
    change = _change(OrderState.PAID)
    body = body_of(change, Sums(captured_minor=1250, refunded_minor=0))
    headers = signed_by_all(
        body.encode(),
        [_SECRET],
        Envelope(event_id=message_id_of(change), topic=change.kind, at=int(_AT.timestamp())),
    )
    states = texts_below(MessageState)
    return whole(
        "Webhooks that are sent",
        section(
            "To the shop's programs",
            "Subscribed by a table of the settings, [`[outbound.<name>]`](settings.md#outbound).",
            prose(outbound.__doc__ or ""),
            section(
                "Events",
                table(
                    ("type", "meaning"),
                    (
                        *((code(kind_of(state)), cell(_sentence(state))) for state in OrderState),
                        *((code(kind), cell(meaning)) for kind, meaning in HAPPENINGS.items()),
                    ),
                ),
                "What is no change of state has `fact` (its name in the order's timeline) and `currency` in its `data`, and "
                "no `state`: money has its `amount_minor`, a parcel its `shipment_id`, its `contents` by line of the order "
                "and the `fulfilment` of the order with it. An order that leaves in one parcel has both, `parcel.shipped` "
                "and `order.shipped`; one that leaves in several has `order.shipped` with the last. Of what stands in a timeline besides, nothing is sent:",
                table(("in the timeline", "because"), ((code(str(one)), cell(why)) for one, why in UNTOLD.items())),
                level=3,
            ),
            section("A message", fence(json.dumps(json.loads(body), indent=2), "json"), level=3),
            section(
                "Its headers",
                fence("\n".join(f"{name}: {value}" for name, value in headers.items())),
                "Signed as [Standard Webhooks](https://www.standardwebhooks.com) v1 say: HMAC-SHA256 over "
                "`webhook-id.webhook-timestamp.body`, base64. Where the settings hold several secrets, all of them "
                "sign, one signature each.",
                level=3,
            ),
            section(
                "Tries",
                f"A try may take {gateway.TIMEOUT_SECONDS} s; {gateway.AT_ONCE} are under way to one endpoint at most "
                f"from one process. Any 2xx is taken. {outbound.GONE} disables the endpoint. After a try that failed:",
                table(
                    ("try", "is made after", "since the first"),
                    (
                        (str(number), _span(wait), _span(sum(LADDER[: number - 1], timedelta())))
                        for number, wait in enumerate(LADDER, start=2)
                    ),
                ),
                f"After the last one the message is a dead letter: `orders outbound redeliver` sends it again. "
                f"`Retry-After` is heeded up to {_span(outbound.LONGEST_WAIT)}.",
                table(("state", "meaning"), ((code(str(one)), cell(states.get(one.name, ""))) for one in MessageState)),
                level=3,
            ),
        ),
        section(
            "To who is alerted",
            "A rule, [`[alerts.<name>]`](settings.md#alerts), names endpoints of "
            "[`[alerting]`](settings.md#alerting): webhooks, signed in the same way, or mail addresses. "
            f"A try may take {notifier.TIMEOUT_SECONDS} s. The id stays the same over all tries of a notice; "
            f"what could not be sent for {_span(alerting.GIVEN_UP_AFTER)} is given up.",
            table(
                ("type", "meaning"),
                (
                    *((code(f"{alerting.TYPE}.{one}"), cell(texts_below(Change).get(one.name, ""))) for one in Change),
                    (code(f"{alerting.TYPE}.test"), "a sample, as `orders alerts test` sends it"),
                ),
            ),
            fence(json.dumps(_notice(), indent=2), "json"),
        ),
    )


def _change(to: OrderState) -> StateChange:
    return StateChange(
        shop="main",
        order_id="1001",
        from_state=str(OrderState.AUTHORISED),
        to_state=to,
        at=_AT,
        actor="provider",
        currency="EUR",
        total_minor=1250,
    )


def _sentence(state: OrderState) -> str:
    return timeline.of_change(_change(state)).sentence


def _notice() -> object:
    rule = AlertRule(name="open_breaks", when=AlertTrigger.BREAKS, to=("ops",))
    document = alerting.sample(rule, "main", "stripe", _AT)[0].document
    return {**document, "type": f"{alerting.TYPE}.{Change.OPENED}"}


def _span(wait: timedelta) -> str:
    seconds = int(wait.total_seconds())
    parts = [
        (seconds // 86400, "d"),
        (seconds % 86400 // 3600, "h"),
        (seconds % 3600 // 60, "min"),
        (seconds % 60, "s"),
    ]
    return " ".join(f"{count} {unit}" for count, unit in parts if count)
