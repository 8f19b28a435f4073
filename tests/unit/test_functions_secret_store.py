"""Secrets of a deployed function: signed as AWS signs, read whole, followed when they change, never shown."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from functions import secret_store
from functions.aws_call import Operation, signed
from functions.secret_store import READ, READ_PARAMETERS, SecretStore, SecretsUnavailable
from tests.unit.secrets_service import SecretsService, secrets_service
from worker.contract.settings import ConfigurationError

API = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/dev/api-AbCdEf"
WEBHOOKS = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/dev/webhooks-AbCdEf"
KEYS = {"AWS_ACCESS_KEY_ID": "ASIATEST", "AWS_SECRET_ACCESS_KEY": "never-shown", "AWS_REGION": "eu-west-1"}


@pytest.fixture
def service() -> Iterator[SecretsService]:
    with secrets_service() as running:
        yield running


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_store, "_PAUSES", (0.0, 0.0, 0.0))


def environ(service: SecretsService, *arns: str) -> dict[str, str]:
    return {**KEYS, "AWS_ENDPOINT_URL": service.url, "SECRETS_MANAGER_ARNS": ",".join(arns)}


@given(
    body=st.binary(max_size=200),
    token=st.one_of(st.just(""), st.text("abcXYZ0123456789/+=", min_size=1, max_size=40)),
    now=st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2040, 1, 1), timezones=st.just(UTC)),
    region=st.sampled_from(["eu-west-1", "us-east-1", "cn-north-1"]),
    operation=st.sampled_from(
        [READ, READ_PARAMETERS, Operation(service="ecs", target="Ecs_1.UpdateService", called="ECS")]
    ),
)
def test_it_signs_as_the_aws_library_does(
    body: bytes, token: str, now: datetime, region: str, operation: Operation
) -> None:
    host = f"{operation.service}.{region}.amazonaws.com"
    keys = {**KEYS, **({"AWS_SESSION_TOKEN": token} if token else {})}
    ours = signed(operation, body, host, region, keys, now)
    request = AWSRequest(
        "POST",
        f"https://{host}/",
        data=body,
        headers={"content-type": ours["content-type"], "x-amz-target": ours["x-amz-target"]},
    )
    signer = SigV4Auth(Credentials("ASIATEST", "never-shown", token or None), operation.service, region)
    request.context["timestamp"] = ours["x-amz-date"]
    request.headers["X-Amz-Date"] = ours["x-amz-date"]
    if token:
        request.headers["X-Amz-Security-Token"] = token
    canonical = signer.canonical_request(request)
    theirs = signer.signature(signer.string_to_sign(request, canonical), request)
    assert ours["authorization"].endswith(f"Signature={theirs}")
    assert "never-shown" not in str(ours)


def test_without_secrets_nothing_is_asked() -> None:
    variables: dict[str, str] = {}
    store = SecretStore(variables)
    store.load()
    assert not store.changed()
    assert variables == {}


def test_every_secret_becomes_variables(service: SecretsService) -> None:
    service.put(API, {"ORDERS_API__KEYS": '{"shop": "ab"}'})
    service.put(WEBHOOKS, {"ORDERS_WEBHOOKS__STRIPE__SECRETS": '["whsec_1"]'})
    variables = environ(service, API, WEBHOOKS)
    SecretStore(variables).load()
    assert variables["ORDERS_API__KEYS"] == '{"shop": "ab"}'
    assert variables["ORDERS_WEBHOOKS__STRIPE__SECRETS"] == '["whsec_1"]'


def test_a_change_is_followed_and_what_is_gone_is_gone(service: SecretsService) -> None:
    service.put(API, {"ORDERS_API__KEYS": "{}", "ORDERS_TEMPORAL__API_KEY": "old"})
    variables = environ(service, API)
    store = SecretStore(variables)
    store.load()
    assert not store.changed()
    service.put(API, {"ORDERS_API__KEYS": '{"shop": "cd"}'})
    assert store.changed()
    assert variables["ORDERS_API__KEYS"] == '{"shop": "cd"}'
    assert "ORDERS_TEMPORAL__API_KEY" not in variables
    assert not store.changed()


def test_a_start_tries_again_and_a_request_does_not(service: SecretsService) -> None:
    service.put(API, {"ORDERS_API__KEYS": "{}"})
    variables = environ(service, API)
    store = SecretStore(variables)
    service.down = 2
    store.load()
    service.down = 1
    with pytest.raises(SecretsUnavailable):
        store.changed()
    assert variables["ORDERS_API__KEYS"] == "{}"


def test_a_service_that_stays_away_is_said(service: SecretsService) -> None:
    service.down = 9
    with pytest.raises(SecretsUnavailable, match="500"):
        SecretStore(environ(service, API)).load()
    with pytest.raises(SecretsUnavailable, match="does not answer"):
        SecretStore({**KEYS, "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "SECRETS_MANAGER_ARNS": API}).load()


@pytest.mark.parametrize("value", ["never-shown", '["never-shown"]', '{"ORDERS_API__KEYS": {"never": "shown"}}', "7"])
def test_what_is_no_object_of_texts_is_named_and_not_shown(service: SecretsService, value: str) -> None:
    service.put(API, value)
    with pytest.raises(ConfigurationError, match="orders/dev/api-AbCdEf") as caught:
        SecretStore(environ(service, API)).load()
    assert "shown" not in str(caught.value)


def test_a_secret_without_a_value_says_who_gives_it_one(service: SecretsService) -> None:
    with pytest.raises(ConfigurationError, match="orders secrets put"):
        SecretStore(environ(service, API)).load()


PARAMETERS = ("/orders/dev/api", "/orders/dev/webhooks")


def told_of_parameters(service: SecretsService) -> dict[str, str]:
    arns = [f"arn:aws:ssm:eu-west-1:123456789012:parameter{name}" for name in PARAMETERS]
    return {**KEYS, "AWS_ENDPOINT_URL": service.url, "PARAMETER_STORE_ARNS": ",".join(arns)}


def test_parameters_are_read_in_one_question_and_followed(service: SecretsService) -> None:
    service.make_parameter(PARAMETERS[0], '{"ORDERS_API__KEYS": "{}"}')
    service.make_parameter(PARAMETERS[1], '{"ORDERS_WEBHOOKS__STRIPE__SECRETS": "[]"}')
    variables = told_of_parameters(service)
    store = SecretStore(variables)
    store.load()
    assert len(service.asked) == 1
    assert (variables["ORDERS_API__KEYS"], variables["ORDERS_WEBHOOKS__STRIPE__SECRETS"]) == ("{}", "[]")
    assert not store.changed()
    service.parameters[PARAMETERS[0]][-1] |= {"Version": 2, "Value": '{"ORDERS_API__KEYS": "{1}"}'}
    assert store.changed()
    assert variables["ORDERS_API__KEYS"] == "{1}"


@pytest.mark.parametrize("text", ["{}", None])
def test_a_parameter_that_nothing_was_put_into_says_who_does(service: SecretsService, text: str | None) -> None:
    service.make_parameter(PARAMETERS[0], '{"ORDERS_API__KEYS": "{}"}')
    if text is not None:
        service.make_parameter(PARAMETERS[1], text)
    with pytest.raises(ConfigurationError, match=r"/orders/dev/webhooks.*orders secrets put"):
        SecretStore(told_of_parameters(service)).load()


def test_a_parameter_that_is_no_object_of_texts_is_not_shown(service: SecretsService) -> None:
    service.make_parameter(PARAMETERS[0], '{"ORDERS_API__KEYS": "{}"}')
    service.make_parameter(PARAMETERS[1], '["never-shown"]')
    with pytest.raises(ConfigurationError, match="/orders/dev/webhooks: does not hold") as caught:
        SecretStore(told_of_parameters(service)).load()
    assert "shown" not in str(caught.value)


def test_a_store_that_is_asked_too_much_is_asked_again(
    service: SecretsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.put(API, {"ORDERS_API__KEYS": "{}"})
    calm, busy = service.answer, [(400, {"__type": "ThrottlingException"})]
    monkeypatch.setattr(service, "answer", lambda *asked: busy.pop() if busy else calm(*asked))
    variables = environ(service, API)
    SecretStore(variables).load()
    assert variables["ORDERS_API__KEYS"] == "{}"
