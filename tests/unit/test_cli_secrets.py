"""`orders secrets`: values go in by the back door, and never come out."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.unit.secrets_service import SecretsService, secrets_service
from worker.cli.secrets import command
from worker.domain.errors import Conflict, InvalidInput, NotFound, OrdersError
from worker.gateways.secret_stores import vault_of
from worker.gateways.secrets_manager import SecretsManager

WORKER, WEBHOOKS = "orders/dev/worker", "orders/dev/webhooks"
VALUE = "sk_live_never_shown"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretsService]:
    with secrets_service() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.url)
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        running.containers = {
            f"orders/dev/{name}" for name in ("temporal", "api", "encryption", "webhooks", "worker", "database")
        }
        yield running


def orders(*arguments: str, given: str = "") -> Result:
    done = CliRunner().invoke(command, list(arguments), input=given)
    if isinstance(done.exception, OrdersError):
        raise done.exception
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert VALUE not in done.output
    return done


def held(service: SecretsService, secret: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(service.held[secret][1])
    return found


def test_values_are_put_one_by_one_and_listed_by_name(service: SecretsService, tmp_path: Path) -> None:
    assert "added" in orders("put", WORKER, "ORDERS_PROVIDER__API_KEY", given=f"{VALUE}\n").output
    file = tmp_path / "token"
    file.write_text("token-1\n", encoding="utf-8")
    orders("put", WORKER, "ORDERS_SHOP__ACCESS_TOKEN", "--file", str(file))
    again = ("put", WORKER, "ORDERS_PROVIDER__API_KEY")
    refused = orders(*again, given=f"{VALUE}-2")
    assert (refused.exit_code, "--reason" in refused.output) == (2, True)
    assert "changed" in orders(*again, "--reason", "it leaked", given=f"{VALUE}-2").output
    assert held(service, WORKER) == {
        "ORDERS_PROVIDER__API_KEY": f"{VALUE}-2",
        "ORDERS_SHOP__ACCESS_TOKEN": "token-1",
    }
    listed = orders("list", WORKER, "--json")
    assert json.loads(listed.output)["keys"] == ["ORDERS_PROVIDER__API_KEY", "ORDERS_SHOP__ACCESS_TOKEN"]
    orders("remove", WORKER, "ORDERS_SHOP__ACCESS_TOKEN", "--reason", "not used")
    assert held(service, WORKER) == {"ORDERS_PROVIDER__API_KEY": f"{VALUE}-2"}


def test_a_value_of_many_lines_keeps_them(service: SecretsService) -> None:
    pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
    orders("put", "orders/dev/temporal", "ORDERS_TEMPORAL__CLIENT_CERT", given=f"{pem}\n")
    assert held(service, "orders/dev/temporal") == {"ORDERS_TEMPORAL__CLIENT_CERT": pem}


@pytest.mark.parametrize(
    ("secret", "key", "given", "error", "says"),
    [
        (WORKER, "ORDERS_API__KEYS", VALUE, InvalidInput, "does not belong into a worker secret"),
        (WEBHOOKS, "ORDERS_WEBHOOKS__stripe__SECRETS", VALUE, InvalidInput, "does not belong"),
        ("orders/dev/other", "ORDERS_API__KEYS", VALUE, InvalidInput, "KIND is one of"),
        (WORKER, "ORDERS_PROVIDER__API_KEY", "\n", InvalidInput, "no value"),
        (WORKER, "ORDERS_PROVIDER__API_KEY", "x" * 60_001, InvalidInput, "longer than"),
        ("orders/prod/worker", "ORDERS_PROVIDER__API_KEY", VALUE, NotFound, "bootstrap"),
    ],
)
def test_what_cannot_be_right_is_refused(
    service: SecretsService, secret: str, key: str, given: str, error: type[OrdersError], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        orders("put", secret, key, given=given)
    assert VALUE not in str(caught.value)
    assert service.held == {}


def test_what_is_missing_is_named_until_nothing_is(service: SecretsService) -> None:
    with pytest.raises(NotFound, match="orders/dev/webhooks: ORDERS_WEBHOOKS__<SOURCE>__SECRETS"):
        orders("check", "orders/dev")
    orders("put", "orders/dev/api", "ORDERS_API__KEYS", given="{}")
    orders("put", WEBHOOKS, "ORDERS_WEBHOOKS__STRIPE__SECRETS", given='["whsec_1"]')
    for key in ("USERS__TOKEN_KEY", "PROVIDER__API_KEY", "SHOP__ACCESS_TOKEN", "WAREHOUSE__SECRET", "WAREHOUSE__TOKEN"):
        orders("put", WORKER, f"ORDERS_{key}", given=VALUE)
    with pytest.raises(NotFound, match="orders/dev/encryption: ORDERS_ENCRYPTION__KEYS"):
        orders("check", "orders/dev")
    assert orders("check", "orders/dev", "--clear").exit_code == 0
    orders("put", "orders/dev/encryption", "ORDERS_ENCRYPTION__KEYS", given="[]")
    assert orders("check", "orders/dev").exit_code == 0
    with pytest.raises(NotFound, match="orders/dev/temporal: ORDERS_TEMPORAL__API_KEY"):
        orders("check", "orders/dev", "--api-key")


def test_a_change_of_somebody_else_is_not_overwritten(service: SecretsService) -> None:
    vault = SecretsManager()
    service.put(WORKER, {"ORDERS_WAREHOUSE__TOKEN": "a"})
    found = vault.read(WORKER)
    service.put(WORKER, {"ORDERS_WAREHOUSE__TOKEN": "b"})
    with pytest.raises(Conflict, match="try again"):
        vault.write(WORKER, {**found.values, "ORDERS_WAREHOUSE__SECRET": VALUE}, over=found.version)
    assert held(service, WORKER) == {"ORDERS_WAREHOUSE__TOKEN": "b"}


def test_what_is_not_ours_is_not_touched_or_shown(service: SecretsService) -> None:
    service.put(WORKER, VALUE)
    with pytest.raises(Conflict, match="JSON object") as caught:
        orders("put", WORKER, "ORDERS_WAREHOUSE__TOKEN", given="x")
    assert VALUE not in str(caught.value)


def test_secrets_of_webhooks_we_send_may_be_put_and_need_not(service: SecretsService) -> None:
    assert "added" in orders("put", WORKER, "ORDERS_OUTBOUND__ERP__SECRETS", given='["whsec_bmV3"]').output
    with pytest.raises(NotFound) as caught:
        orders("check", "orders/dev")
    assert "OUTBOUND" not in str(caught.value)


PARAMETER = "/orders/dev/worker"


def test_a_name_that_begins_with_a_slash_is_a_parameter_and_stays_under_its_key(service: SecretsService) -> None:
    service.make_parameter(PARAMETER, key="key/another")
    service.parameters[PARAMETER] *= 70  # more than one page of its history
    service.parameters[PARAMETER][-1] = {**service.parameters[PARAMETER][-1], "KeyId": "key/ours"}
    orders("put", PARAMETER, "ORDERS_WAREHOUSE__TOKEN", given=VALUE)
    newest = service.parameters[PARAMETER][-1]
    assert (json.loads(newest["Value"]), newest["KeyId"]) == ({"ORDERS_WAREHOUSE__TOKEN": VALUE}, "key/ours")
    assert service.held == {}
    listed = json.loads(orders("list", PARAMETER, "--json").output)
    assert (listed["keys"], listed["changed_at"] is None) == (["ORDERS_WAREHOUSE__TOKEN"], False)
    orders("remove", PARAMETER, "ORDERS_WAREHOUSE__TOKEN", "--reason", "gone")
    emptied = json.loads(orders("list", PARAMETER, "--json").output)
    assert (emptied["keys"], emptied["changed_at"]) == ([], None)


def test_a_parameter_as_it_was_made_lacks_everything(service: SecretsService) -> None:
    for kind in ("api", "encryption", "webhooks", "worker"):
        service.make_parameter(f"/orders/dev/{kind}")
    with pytest.raises(NotFound, match="/orders/dev/api: ORDERS_API__KEYS"):
        orders("check", "/orders/dev")


def test_a_parameter_takes_so_much_and_says_where_more_goes(service: SecretsService) -> None:
    service.make_parameter(PARAMETER)
    with pytest.raises(InvalidInput, match="secrets_manager") as caught:
        orders("put", PARAMETER, "ORDERS_WAREHOUSE__TOKEN", given=VALUE * 300)
    assert VALUE not in str(caught.value)
    assert len(service.parameters[PARAMETER]) == 1


@pytest.mark.parametrize(
    ("wrong", "right"), [("/orders/prod/worker", "orders/prod/worker"), ("orders/test/worker", "/orders/test/worker")]
)
def test_who_asks_the_wrong_store_is_told_the_other_name(service: SecretsService, wrong: str, right: str) -> None:
    with pytest.raises(NotFound, match=f"this one is {right}"):
        orders("put", wrong, "ORDERS_WAREHOUSE__TOKEN", given="x")


def test_a_parameter_that_somebody_else_changed_is_not_overwritten(service: SecretsService) -> None:
    service.make_parameter(PARAMETER)
    vault = vault_of(f"arn:aws:ssm:eu-west-1:123456789012:parameter{PARAMETER}")
    found = vault.read(PARAMETER)
    vault.write(PARAMETER, {"ORDERS_WAREHOUSE__TOKEN": "a"}, over=found.version)
    with pytest.raises(Conflict, match="try again"):
        vault.write(PARAMETER, {"ORDERS_WAREHOUSE__TOKEN": "b"}, over=found.version)
