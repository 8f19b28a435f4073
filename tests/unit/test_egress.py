"""Outgoing webhooks reach public addresses over TLS, and nothing inside unless the settings say so."""

import ipaddress
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.errors import InvalidInput, ProviderUnavailable
from worker.gateways import egress
from worker.gateways.egress import target_of

PUBLIC = "93.184.216.34"
INSIDE = (
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104  an address that must be refused
    "224.0.0.1",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "::ffff:169.254.169.254",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "ff02::1",
)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What names resolve to; one that is not here does not resolve, an address is itself."""
    known: dict[str, list[str]] = {}

    def resolve(name: str, port: int, **_: Any) -> list[Any]:
        found = known.get(name)
        if found is None:
            try:
                found = [str(ipaddress.ip_address(name))]
            except ValueError:
                raise socket.gaierror("no such name") from None
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return known


@pytest.mark.parametrize("address", INSIDE)
def test_inner_addresses_are_refused_by_name_and_by_number(names: dict[str, list[str]], address: str) -> None:
    names["hooks.example"] = [address]
    literal = f"[{address}]" if ":" in address else address
    for host in ("hooks.example", literal):
        with pytest.raises(InvalidInput, match="not public"):
            target_of(f"https://{host}/in")


def test_one_inner_address_among_public_ones_is_enough_to_refuse(names: dict[str, list[str]]) -> None:
    names["hooks.example"] = [PUBLIC, "10.0.0.1"]
    with pytest.raises(InvalidInput, match="not public"):
        target_of("https://hooks.example/in")


def test_the_connection_goes_to_the_address_that_was_judged_under_the_name_that_was_asked_for(
    names: dict[str, list[str]],
) -> None:
    names["hooks.example"] = [PUBLIC]
    target = target_of("https://hooks.example:8443/in?x=1#part")
    assert (target.url, target.host, target.server_name) == (
        f"https://{PUBLIC}:8443/in?x=1",
        "hooks.example:8443",
        "hooks.example",
    )
    names["hooks.example"] = ["2606:2800:220:1::1"]
    assert target_of("https://hooks.example").url == "https://[2606:2800:220:1::1]/"


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/in",
        "ftp://hooks.example/in",
        "file:///etc/passwd",
        "https://user:pw@hooks.example/in",
        "https:///in",
        "hooks.example",
        "https://hooks.example:99999/",
        "https://[::1/",
        "",
    ],
)
def test_what_is_no_https_address_is_refused(names: dict[str, list[str]], url: str) -> None:
    names["hooks.example"] = [PUBLIC]
    with pytest.raises(InvalidInput, match="endpoint"):
        target_of(url)


def test_inside_is_open_in_the_local_environment_and_to_hosts_that_are_named(names: dict[str, list[str]]) -> None:
    names["inner.example"] = ["10.0.0.1"]
    assert target_of("http://127.0.0.1:8080/in", local=True).url == "http://127.0.0.1:8080/in"
    allowed = frozenset({"inner.example"})
    assert target_of("http://INNER.example/in", allowed_hosts=allowed).url == "http://10.0.0.1/in"
    with pytest.raises(InvalidInput):
        target_of("http://127.0.0.1/in", allowed_hosts=allowed)


def test_a_name_that_does_not_resolve_may_do_so_later(names: dict[str, list[str]]) -> None:
    assert names == {}
    with pytest.raises(ProviderUnavailable, match="does not resolve"):
        target_of("https://nowhere.example/in")


@given(st.ip_addresses(v=4))
def test_an_address_wrapped_in_another_is_judged_as_itself(address: ipaddress.IPv4Address) -> None:
    wrapped = (f"::ffff:{address}", str(ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) + int(address))))
    assert {egress._public(each) for each in wrapped} == {egress._public(str(address))}
