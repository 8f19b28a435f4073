"""`orders keys`: a key is added, used and dropped, is never shown, and what it sealed is readable as long as it should."""

import json
from collections.abc import Iterator
from urllib.parse import unquote

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.unit.secrets_service import SecretsService, secrets_service
from worker.cli.keys import VARIABLE, command
from worker.contract.encryption import EncryptionConfig, SealingKey, problems_of
from worker.contract.sealing import KeyRing
from worker.contract.settings import Secret
from worker.domain.errors import Conflict, InvalidInput, NotFound, OrdersError

SECRET = "orders/dev/encryption"
WHY = ("--actor", "anna", "--reason", "the yearly change, 3 % für uns")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretsService]:
    with secrets_service() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.url)
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        running.containers = {SECRET, "orders/dev/worker"}
        yield running


def orders(*arguments: str) -> Result:
    done = CliRunner().invoke(command, list(arguments))
    if isinstance(done.exception, OrdersError):
        raise done.exception
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def held(service: SecretsService) -> EncryptionConfig:
    """Return the settings that functions and worker would make of the secret; they must be sound."""
    keys = json.loads(json.loads(service.held[SECRET][1])[VARIABLE])
    config = EncryptionConfig(
        enabled=True,
        accept_clear=True,
        keys=tuple(SealingKey(id=one["id"], key=Secret(one["key"])) for one in keys),
    )
    assert problems_of(config, environment="production") == []
    return config


def ids(service: SecretsService) -> list[str]:
    return [key.id for key in held(service).keys]


def test_one_key_follows_another_and_both_read_what_was_sealed_until_the_old_one_is_dropped(
    service: SecretsService,
) -> None:
    said = orders("add", SECRET).output
    (first,) = ids(service)
    sealed = KeyRing(held(service).secrets(), AESGCM).current.seal(b"content")
    said += orders("add", SECRET, *WHY).output
    second = ids(service)[1]
    assert ids(service) == [first, second], "it opens before it seals"
    said += orders("use", SECRET, second, *WHY).output
    assert ids(service) == [second, first]
    assert KeyRing(held(service).secrets(), AESGCM)[first].open(sealed) == b"content"
    assert json.loads(orders("list", SECRET, "--json").output)["keys"] == [second, first]
    secrets = [key.key.reveal() for key in held(service).keys]
    said += orders("list", SECRET).output + orders("drop", SECRET, first, "--yes", *WHY).output
    assert ids(service) == [second]
    assert not any(secret in said for secret in secrets)
    assert len(set(secrets)) == 2


def test_the_key_that_seals_is_neither_dropped_nor_used_twice(service: SecretsService) -> None:
    orders("add", SECRET)
    (only,) = ids(service)
    for verb, more in (("drop", ["--yes"]), ("use", [])):
        with pytest.raises(Conflict, match="seals"):
            orders(verb, SECRET, only, *more, *WHY)
    assert ids(service) == [only]


def test_nothing_is_dropped_without_a_word(service: SecretsService) -> None:
    orders("add", SECRET)
    orders("add", SECRET, *WHY)
    both = ids(service)
    assert orders("drop", SECRET, both[1], *WHY).exit_code == 2
    assert orders("drop", SECRET, both[1], "--yes").exit_code == 2
    assert orders("add", SECRET).exit_code == 2
    assert ids(service) == both


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("use", SECRET, "2020-01-01", *WHY), NotFound),
        (("drop", SECRET, "2020-01-01", "--yes", *WHY), NotFound),
        (("add", "orders/dev/worker"), InvalidInput),
        (("add", "orders/prod/encryption"), NotFound),
    ],
)
def test_what_is_not_there_is_not_made_up(
    service: SecretsService, arguments: tuple[str, ...], error: type[OrdersError]
) -> None:
    with pytest.raises(error):
        orders(*arguments)


def test_who_changes_keys_and_why_is_told_to_aws_with_the_change_itself(service: SecretsService) -> None:
    orders("add", SECRET)
    orders("add", SECRET, *WHY)
    told = service.asked[-1]
    assert told["X-Amz-Target"] == "secretsmanager.PutSecretValue"
    told_by = dict(word.split("/", 1) for word in told["User-Agent"].split() if word.startswith("orders-"))
    assert {key: unquote(value) for key, value in told_by.items()} == {
        "orders-actor": WHY[1],
        "orders-reason": WHY[3],
    }


def test_what_is_no_list_of_keys_is_neither_touched_nor_shown(service: SecretsService) -> None:
    service.put(SECRET, {VARIABLE: '["never-shown"]'})
    with pytest.raises(Conflict, match="no list of keys") as caught:
        orders("add", SECRET)
    assert "never-shown" not in str(caught.value)
