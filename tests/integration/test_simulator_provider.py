"""Payments at the simulated provider, through the official `stripe` library."""

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe

from tests.integration.provider_process import ProviderProcess

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProviderProcess]:
    with ProviderProcess(tmp_path_factory.mktemp("provider")) as running:
        yield running


@pytest.fixture
def client(provider: ProviderProcess) -> stripe.StripeClient:
    return provider.client()


Pay = Callable[..., stripe.PaymentIntent]


@pytest.fixture
def pay(client: stripe.StripeClient, order_id: str) -> Pay:
    """Create and confirm a payment; keyword arguments change the call."""

    def call(options: dict[str, Any] | None = None, **changes: Any) -> stripe.PaymentIntent:
        params: Any = {
            "amount": 2000,
            "currency": "eur",
            "confirm": True,
            "payment_method": "pm_card_visa",
            "metadata": {"shop": "main", "order_id": order_id},
            **changes,
        }
        return client.v1.payment_intents.create(params, options or {})  # type: ignore[arg-type]

    return call


def body(error: stripe.StripeError) -> Any:
    assert isinstance(error.json_body, dict)
    return error.json_body["error"]


# What a card does


def test_a_card_is_charged_and_the_books_agree(client: stripe.StripeClient, pay: Pay, order_id: str) -> None:
    intent = pay(expand=["latest_charge.balance_transaction"])
    assert (intent.status, intent.amount_received, intent.amount_capturable) == ("succeeded", 2000, 0)
    charge = intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert (charge.status, charge.captured, charge.amount_captured, charge.paid) == ("succeeded", True, 2000, True)
    assert (charge.metadata["order_id"], charge.payment_intent) == (order_id, intent.id)
    entry = charge.balance_transaction
    assert isinstance(entry, stripe.BalanceTransaction)
    assert (entry.amount, entry.fee, entry.net, entry.source) == (2000, 88, 1912, charge.id)
    assert (entry.type, entry.reporting_category, entry.status) == ("charge", "charge", "pending")
    assert entry.available_on - entry.created == 2 * 86_400
    assert client.v1.payment_intents.retrieve(intent.id).to_dict() == {**intent.to_dict(), "latest_charge": charge.id}


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
    ],
)
def test_a_declined_card_is_a_card_error_and_the_failed_charge_stays(
    client: stripe.StripeClient, pay: Pay, method: str, code: str, decline_code: str | None
) -> None:
    with pytest.raises(stripe.CardError) as caught:
        pay(payment_method=method)
    error = body(caught.value)
    assert (caught.value.http_status, error["code"], error.get("decline_code")) == (402, code, decline_code)
    intent = client.v1.payment_intents.retrieve(error["payment_intent"]["id"])
    assert (intent.status, intent.latest_charge, intent.amount_received) == (
        "requires_payment_method",
        error["charge"],
        0,
    )
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.code == code
    charge = client.v1.charges.retrieve(error["charge"])
    assert (charge.status, charge.paid, charge.captured, charge.balance_transaction) == ("failed", False, False, None)
    # The customer tries again with a card that works: same intent, a second charge.
    again = client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_mastercard"})
    assert (again.status, again.last_payment_error) == ("succeeded", None)
    charges = client.v1.charges.list({"payment_intent": intent.id}).data
    assert [charge.status for charge in charges] == ["succeeded", "failed"]


def test_card_numbers_work_and_are_not_kept(provider: ProviderProcess, pay: Pay) -> None:
    card = {"number": "4000000000000002", "exp_month": 12, "exp_year": 2034, "cvc": "123"}
    data = {"type": "card", "card": card}
    with pytest.raises(stripe.CardError) as caught:
        pay(payment_method=None, payment_method_data=data)
    assert body(caught.value)["payment_method"]["card"]["last4"] == "0002"
    data = {"type": "card", "card": {**card, "number": "4242 4242 4242 4242"}}
    intent = pay(payment_method=None, payment_method_data=data, expand=["payment_method"])
    assert isinstance(intent.payment_method, stripe.PaymentMethod)
    assert intent.payment_method.card is not None
    assert intent.payment_method.card.last4 == "4242"
    state = b"".join(file.read_bytes() for file in provider.state_files())
    assert intent.id.encode() in state
    assert b"4000000000000002" not in state
    assert b"4242424242424242" not in state


def test_a_card_may_ask_for_its_customer(provider: ProviderProcess, client: stripe.StripeClient, pay: Pay) -> None:
    intent = pay(payment_method="pm_card_authenticationRequired", return_url="https://shop.test/back")
    assert (intent.status, intent.latest_charge) == ("requires_action", None)
    assert intent.next_action is not None
    assert intent.next_action.type == "redirect_to_url"
    done = provider.sim("POST", f"provider/payment_intents/{intent.id}/authenticate")
    assert (done["status"], done["next_action"]) == ("succeeded", None)
    refused = pay(payment_method="pm_card_authenticationRequired")
    failed = provider.sim("POST", f"provider/payment_intents/{refused.id}/authenticate", {"succeed": False})
    assert failed["last_payment_error"]["code"] == "payment_intent_authentication_failure"
    assert client.v1.payment_intents.retrieve(refused.id).status == "requires_payment_method"
    with pytest.raises(stripe.CardError) as caught:
        pay(payment_method="pm_card_authenticationRequired", off_session=True)
    assert body(caught.value)["decline_code"] == "authentication_required"


# Authorisation, capture, cancellation


def test_an_authorisation_books_nothing_until_it_is_captured(client: stripe.StripeClient, pay: Pay) -> None:
    intent = pay(capture_method="manual")
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("requires_capture", 2000, 0)
    assert isinstance(intent.latest_charge, str)
    assert client.v1.balance_transactions.list({"source": intent.latest_charge}).data == []
    captured = client.v1.payment_intents.capture(intent.id)
    assert (captured.status, captured.amount_received, captured.amount_capturable) == ("succeeded", 2000, 0)
    assert [entry.amount for entry in client.v1.balance_transactions.list({"source": intent.latest_charge})] == [2000]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.capture(intent.id)
    error = body(caught.value)
    assert (error["code"], error["payment_intent"]["status"]) == ("payment_intent_unexpected_state", "succeeded")


def test_a_partial_capture_is_one_entry_since_basil(client: stripe.StripeClient, pay: Pay) -> None:
    intent = pay(capture_method="manual")
    client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 1500}, {})
    assert isinstance(intent.latest_charge, str)
    charge = client.v1.charges.retrieve(intent.latest_charge)
    assert (charge.amount, charge.amount_captured, charge.amount_refunded) == (2000, 1500, 0)
    entries = client.v1.balance_transactions.list({"source": charge.id}).data
    assert [(entry.amount, entry.fee, entry.net) for entry in entries] == [(1500, 74, 1426)]
    assert client.v1.refunds.list({"charge": charge.id}).data == []


def test_a_partial_capture_was_two_entries_before_basil(
    provider: ProviderProcess, client: stripe.StripeClient, pay: Pay
) -> None:
    intent = pay(capture_method="manual")
    assert isinstance(intent.latest_charge, str)
    older = provider.client(version="2025-02-24.acacia")
    older.v1.payment_intents.capture(intent.id, {"amount_to_capture": 1500})
    charge = client.v1.charges.retrieve(intent.latest_charge)
    assert (charge.amount_captured, charge.amount_refunded, charge.refunded) == (1500, 500, False)
    (reversal,) = client.v1.refunds.list({"charge": charge.id}).data
    (whole,) = client.v1.balance_transactions.list({"source": charge.id}).data
    (rest,) = client.v1.balance_transactions.list({"source": reversal.id}).data
    assert (whole.reporting_category, whole.amount, whole.fee) == ("charge", 2000, 88)
    assert (rest.type, rest.reporting_category, rest.amount, rest.fee) == (
        "refund",
        "partial_capture_reversal",
        -500,
        -14,
    )
    # However it is booked, it comes to the same: the captured amount and the fee on it.
    assert (whole.amount + rest.amount, whole.net + rest.net) == (1500, 1426)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"charge": charge.id, "amount": 1501})
    client.v1.refunds.create({"charge": charge.id, "amount": 1500})
    assert client.v1.charges.retrieve(charge.id).refunded is True


@pytest.mark.parametrize("amount", [0, 2001])
def test_no_more_than_was_authorised_can_be_captured(client: stripe.StripeClient, pay: Pay, amount: int) -> None:
    intent = pay(capture_method="manual")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.capture(intent.id, {"amount_to_capture": amount})
    assert caught.value.param == "amount_to_capture"
    assert client.v1.payment_intents.retrieve(intent.id).status == "requires_capture"


def test_a_cancelled_authorisation_takes_nothing(client: stripe.StripeClient, pay: Pay) -> None:
    intent = pay(capture_method="manual")
    cancelled = client.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "requested_by_customer"})
    assert (cancelled.status, cancelled.cancellation_reason, cancelled.amount_capturable) == (
        "canceled",
        "requested_by_customer",
        0,
    )
    assert cancelled.canceled_at is not None
    for refused in (client.v1.payment_intents.capture, client.v1.payment_intents.cancel):
        with pytest.raises(stripe.InvalidRequestError, match="status of canceled"):
            refused(intent.id)
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        client.v1.refunds.create({"payment_intent": intent.id})


# Refunds


def test_refunds_add_up_and_never_exceed_what_was_captured(client: stripe.StripeClient, pay: Pay) -> None:
    intent = pay()
    refund = client.v1.refunds.create(
        {"payment_intent": intent.id, "amount": 700, "reason": "requested_by_customer", "metadata": {"order_id": "7"}}
    )
    assert (refund.status, refund.amount, refund.charge) == ("succeeded", 700, intent.latest_charge)
    assert (refund.reason, refund.to_dict()["metadata"]) == ("requested_by_customer", {"order_id": "7"})
    entry = client.v1.balance_transactions.retrieve(str(refund.balance_transaction))
    assert (entry.type, entry.amount, entry.fee, entry.net, entry.source) == ("refund", -700, 0, -700, refund.id)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount") as caught:
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 1301})
    assert caught.value.param == "amount"
    rest = client.v1.refunds.create({"charge": str(intent.latest_charge)})
    assert rest.amount == 1300
    charge = client.v1.charges.retrieve(str(intent.latest_charge), {"expand": ["refunds"]})
    assert (charge.amount_refunded, charge.refunded) == (2000, True)
    assert charge.refunds is not None
    assert [item.id for item in charge.refunds.data] == [rest.id, refund.id]
    assert [item.id for item in client.v1.refunds.list({"payment_intent": intent.id})] == [rest.id, refund.id]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert caught.value.code == "charge_already_refunded"


# Idempotency


def test_a_key_gives_the_first_answer_again(client: stripe.StripeClient, pay: Pay, order_id: str) -> None:
    options = {"idempotency_key": f"order/{order_id}:charge"}
    first, again = pay(options), pay(options)
    assert again.to_dict() == first.to_dict()
    assert again.last_response is not None
    assert first.last_response is not None
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert again.last_response.headers["Original-Request"] == first.last_response.headers["Request-Id"]
    assert len(client.v1.charges.list({"payment_intent": first.id}).data) == 1


def test_a_key_also_gives_the_first_refusal_again(provider: ProviderProcess, pay: Pay, order_id: str) -> None:
    options = {"idempotency_key": f"order/{order_id}:declined"}
    errors = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as caught:
            pay(options, payment_method="pm_card_chargeDeclined")
        errors.append(caught.value)
    assert errors[0].json_body == errors[1].json_body
    assert len(provider.sim("GET", f"provider/ledger?order_id={order_id}")["charges"]) == 1


def test_a_key_cannot_be_used_for_something_else(client: stripe.StripeClient, pay: Pay, order_id: str) -> None:
    options: Any = {"idempotency_key": f"order/{order_id}:once"}
    intent = pay(options)
    for other in (
        lambda: pay(options, amount=2001),
        lambda: client.v1.refunds.create({"payment_intent": intent.id}, options),
    ):
        with pytest.raises(stripe.IdempotencyError) as caught:
            other()
        assert (caught.value.http_status, body(caught.value)["type"]) == (400, "idempotency_error")


def test_what_was_refused_for_its_parameters_is_not_kept(pay: Pay, order_id: str) -> None:
    options = {"idempotency_key": f"order/{order_id}:typo"}
    with pytest.raises(stripe.InvalidRequestError):
        pay(options, amuont=1)
    assert pay(options).status == "succeeded"


def test_two_calls_at_once_under_one_key_conflict(
    provider: ProviderProcess, client: stripe.StripeClient, pay: Pay, order_id: str
) -> None:
    provider.sim("PUT", "provider/settings", {"latency_seconds": 0.5})
    conflict = "409 idempotency_key_in_use"
    together = threading.Barrier(2)

    def call(key: str) -> str:
        together.wait()
        try:
            return pay({"idempotency_key": key}).id
        except stripe.StripeError as error:
            return f"{error.http_status} {body(error)['code']}"

    def at_once(key: str) -> set[str]:
        with ThreadPoolExecutor(2) as pool:
            outcomes = {future.result() for future in [pool.submit(call, key) for _ in range(2)]}
        (intent_id,) = outcomes - {conflict}
        assert len(client.v1.charges.list({"payment_intent": intent_id}).data) == 1
        return outcomes

    try:
        # A busy machine may let one be over before the other comes: then two others are tried.
        tries = (at_once(f"order/{order_id}:race-{number}") for number in range(20))
        assert any(conflict in outcomes for outcomes in tries)
    finally:
        provider.sim("PUT", "provider/settings", {"latency_seconds": 0.0})


# Lists, expansion, refusals


def test_a_list_is_paged_newest_first_without_gap_or_repeat(client: stripe.StripeClient, pay: Pay) -> None:
    intent = pay(capture_method="automatic")
    refunds = [client.v1.refunds.create({"payment_intent": intent.id, "amount": 10}).id for _ in range(7)]
    newest_first = refunds[::-1]
    page = client.v1.refunds.list({"payment_intent": intent.id, "limit": 3})
    assert ([item.id for item in page.data], page.has_more) == (newest_first[:3], True)
    assert [item.id for item in page.auto_paging_iter()] == newest_first
    params: Any = {"payment_intent": intent.id, "limit": 3, "starting_after": newest_first[3]}
    last = client.v1.refunds.list(params)
    assert ([item.id for item in last.data], last.has_more) == (newest_first[4:], False)
    params = {"payment_intent": intent.id, "limit": 2, "ending_before": newest_first[5]}
    back = client.v1.refunds.list(params)
    assert ([item.id for item in back.data], back.has_more) == (newest_first[3:5], True)


def test_entries_are_filtered_and_their_sources_expanded(client: stripe.StripeClient, pay: Pay, order_id: str) -> None:
    intent = pay(currency="nok")
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 500})
    entry = client.v1.balance_transactions.list({"source": str(intent.latest_charge)}).data[0]
    params: Any = {
        "created": {"gte": entry.created, "lt": entry.created + 60},
        "currency": "nok",
        "type": "charge",
        "expand": ["data.source.payment_intent"],
    }
    found = {item.id: item for item in client.v1.balance_transactions.list(params)}
    source = found[entry.id].source
    assert isinstance(source, stripe.Charge)
    assert isinstance(source.payment_intent, stripe.PaymentIntent)
    assert source.payment_intent.metadata["order_id"] == order_id
    assert {item.type for item in found.values()} == {"charge"}
    early: Any = {"created": {"lt": entry.created}, "currency": "nok"}
    assert entry.id not in {item.id for item in client.v1.balance_transactions.list(early)}
    exact: Any = {"created": entry.created, "limit": 100}
    assert entry.id in {item.id for item in client.v1.balance_transactions.list(exact)}


def test_every_kind_of_refusal_has_its_own_error(provider: ProviderProcess, client: stripe.StripeClient) -> None:
    create, retrieve = client.v1.payment_intents.create, client.v1.payment_intents.retrieve
    refusals: list[tuple[Callable[[], object], int, str | None, str | None]] = [
        (lambda: retrieve("pi_unknown"), 404, "resource_missing", "intent"),
        (lambda: client.v1.charges.retrieve("ch_unknown"), 404, "resource_missing", "id"),
        (lambda: client.v1.refunds.create({"payment_intent": "pi_x"}), 400, "resource_missing", "payment_intent"),
        (lambda: create({"amount": 49, "currency": "eur"}), 400, "amount_too_small", "amount"),
        (lambda: create({"amount": 100_000_000, "currency": "eur"}), 400, "amount_too_large", "amount"),
        (lambda: create({"amount": 100, "currency": "zzz"}), 400, None, "currency"),
        (lambda: client.v1.charges.list({"limit": 101}), 400, "parameter_invalid_integer", "limit"),
        (lambda: client.v1.charges.list({"starting_after": "ch_x"}), 400, "resource_missing", "starting_after"),
        (lambda: client.v1.charges.list({"expand": ["data.nothing"]}), 400, None, "expand"),
    ]
    for call, status, code, param in refusals:
        with pytest.raises(stripe.InvalidRequestError) as caught:
            call()
        error = caught.value
        assert (error.http_status, error.code, error.param) == (status, code, param)
        assert error.request_id is not None
    with pytest.raises(stripe.AuthenticationError):
        provider.client("pk_live_nothing").v1.charges.list()
    status, answer = provider.ask("GET", "/stripe/v1/charges")
    assert (status, answer["error"]["type"]) == (401, "invalid_request_error")
    status, answer = provider.ask("GET", "/stripe/v1/nothing", headers={"Authorization": "Bearer sk_test_1"})
    assert (status, answer["error"]["message"]) == (404, "Unrecognized request URL (GET: /v1/nothing).")


def test_events_are_listed_by_type_and_retrieved(client: stripe.StripeClient, pay: Pay, order_id: str) -> None:
    options = {"idempotency_key": f"order/{order_id}:told"}
    intent = pay(options)
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 1})
    params: Any = {"types": ["payment_intent.succeeded", "charge.refunded"], "limit": 2}
    refunded, succeeded = client.v1.events.list(params).data
    assert (refunded.type, succeeded.type) == ("charge.refunded", "payment_intent.succeeded")
    assert refunded.to_dict()["data"]["previous_attributes"] == {"amount_refunded": 0}
    assert succeeded.data.object["id"] == intent.id
    assert succeeded.request is not None
    assert intent.last_response is not None
    assert (succeeded.request.idempotency_key, succeeded.request.id) == (
        options["idempotency_key"],
        intent.last_response.headers["Request-Id"],
    )
    assert client.v1.events.retrieve(succeeded.id).to_dict() == succeeded.to_dict()
    only: Any = {"type": "charge.refunded", "limit": 1}
    assert client.v1.events.list(only).data[0].id == refunded.id
