"""Keys: whose they are, what they open, until when."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from functions.auth import BearerKey, BearerKeys, Caller
from functions.problems import Forbidden, Unauthorized
from worker.contract.settings import Secret

NOW = datetime.now(UTC)


def digest(key: str) -> Secret:
    return Secret(hashlib.sha256(key.encode()).hexdigest())


KEYS = BearerKeys(
    {
        "plain": BearerKey(sha256=digest("k-plain")),
        "shops": BearerKey(sha256=digest("k-shops"), shops=("north", "south")),
        "orders": BearerKey(sha256=digest("k-orders"), functions=("orders",)),
        "old": BearerKey(sha256=digest("k-old"), not_after=NOW - timedelta(seconds=1)),
        "ending": BearerKey(sha256=digest("k-ending"), not_after=NOW + timedelta(hours=1)),
        "twice-old": BearerKey(sha256=digest("k-twice"), not_after=NOW - timedelta(seconds=1)),
        "twice": BearerKey(sha256=digest("k-twice")),
    },
    "main",
)


@pytest.mark.parametrize(
    ("key", "holder", "shops"),
    [
        ("k-plain", "plain", ("main",)),
        ("k-shops", "shops", ("north", "south")),
        ("k-ending", "ending", ("main",)),
        ("k-twice", "twice", ("main",)),
    ],
)
def test_a_key_says_whose_it_is_and_for_which_shops(key: str, holder: str, shops: tuple[str, ...]) -> None:
    for authorization in (f"Bearer {key}", f"bearer  {key} "):
        assert KEYS.caller(authorization, "users") == Caller(holder, shops)


@pytest.mark.parametrize("key", ["k-old", "k-plain2", "", "K-PLAIN", digest("k-plain").reveal()])
def test_what_is_no_accepted_key_opens_nothing(key: str) -> None:
    with pytest.raises(Unauthorized) as refused:
        KEYS.caller(f"Bearer {key}", "orders")
    assert refused.value.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_key_opens_only_its_functions() -> None:
    assert KEYS.caller("Bearer k-orders", "orders").holder == "orders"
    with pytest.raises(Forbidden):
        KEYS.caller("Bearer k-orders", "reconciliations")


def test_a_caller_acts_only_for_the_keys_shops() -> None:
    caller = KEYS.caller("Bearer k-shops", "orders")
    caller.acts_for("south")
    with pytest.raises(Forbidden):
        caller.acts_for("main")
