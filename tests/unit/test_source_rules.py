"""The parts of a source: what names an event, whose address it is, how many are let through."""

import hashlib
import threading
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.client_address import client_address, network, within
from functions.event_identity import Delivery, is_topic, rule
from functions.rate_limit import TokenBucket

HEADERS = {"x-github-delivery": "72d3162e", "x-new": "n1"}
BODY = {
    "id": "evt_1",
    "number": 820982911946154508,
    "yes": True,
    "ratio": 1.5,
    "empty": "",
    "none": None,
    "items": [{"code": "A"}, {"code": "B"}],
}
DELIVERY = Delivery(HEADERS, BODY, b"raw")


class TestEventIdentity:
    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("header:x-github-delivery", "72d3162e"),
            ("header:x-old|x-new", "n1"),
            ("header:x-nowhere", None),
            ("body:id", "evt_1"),
            ("body:number", "820982911946154508"),
            ("body:items.1.code", "B"),
            ("body:items.2.code", None),
            ("body:items.-1.code", None),
            ("body:items.²", None),
            ("body:items.99999999999999999999", None),
            ("body:items", None),
            ("body:id.0", None),
            ("body:yes", None),
            ("body:ratio", None),
            ("body:empty", None),
            ("body:none", None),
            ("digest", hashlib.sha256(b"raw").hexdigest()),
            ("fixed:acme.notice", "acme.notice"),
            ("body:id + header:x-new+fixed:z", "evt_1:n1:z"),
            ("body:id + body:none", None),
        ],
    )
    def test_a_rule_finds_its_text_or_nothing(self, text: str, name: str | None) -> None:
        assert rule(text).read(DELIVERY) == name

    @pytest.mark.parametrize(
        "text",
        [
            *("", "id", "header:", "header:X-Id", "header:x id", "header:a|", "body:", "body:a..b", "body:a b"),
            *("digest:x", "digest:", "fixed:", "fixed:two words", "body:id +", "+", "query:id", "body:a|b"),
        ],
    )
    def test_what_is_no_rule_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="must be header"):
            rule(text)

    @given(st.text(max_size=40))
    def test_any_text_is_a_rule_or_a_value_error(self, text: str) -> None:
        try:
            read = rule(text)
        except ValueError:
            return
        found = read.read(DELIVERY)
        assert found is None or isinstance(found, str)

    def test_topics_are_names(self) -> None:
        assert all(is_topic(text) for text in ("push", "orders/create", "payment_intent.succeeded", "A:b-c"))
        assert not any(is_topic(text) for text in ("", " push", "two words", "x" * 129, "é", "a\n", "\ud800"))


class TestClientAddress:
    @pytest.mark.parametrize(
        ("remote", "forwarded", "proxies", "address"),
        [
            ("203.0.113.9", "", 0, "203.0.113.9"),
            # Without proxies of ours, the header is the caller's own claim.
            ("203.0.113.9", "198.51.100.1", 0, "203.0.113.9"),
            ("10.0.0.1", "198.51.100.1", 1, "198.51.100.1"),
            # What the caller wrote stands left of what our proxies wrote.
            ("10.0.0.1", "192.0.2.66, 198.51.100.1", 1, "198.51.100.1"),
            ("10.0.0.1", "192.0.2.66,198.51.100.1 , 10.0.0.2", 2, "198.51.100.1"),
            ("10.0.0.1", "", 1, None),
            ("10.0.0.1", "198.51.100.1", 2, None),
            ("", "198.51.100.1", 1, "198.51.100.1"),
            ("", "", 0, None),
            ("10.0.0.1", "unknown", 1, None),
            ("10.0.0.1", "198.51.100.1:4711", 1, None),
            ("::ffff:203.0.113.9", "", 0, "203.0.113.9"),
            ("2001:db8::7", "", 0, "2001:db8::7"),
        ],
    )
    def test_the_count_of_proxies_decides_whom_to_believe(
        self, remote: str, forwarded: str, proxies: int, address: str | None
    ) -> None:
        assert client_address(remote, forwarded, proxies) == (None if address is None else ip_address(address))

    def test_networks(self) -> None:
        allowed = [network("203.0.113.0/24"), network("2001:db8::/32")]
        for text, inside in {"203.0.113.9": True, "203.0.114.0": False, "2001:db8::7": True, "::1": False}.items():
            assert within(client_address(text, "", 0), allowed) is inside
        assert not within(None, allowed)
        with pytest.raises(ValueError, match="host bits"):
            network("203.0.113.9/24")

    @given(st.text(max_size=60), st.text(max_size=60), st.integers(0, 3))
    def test_whatever_is_written_there_is_an_address_or_none(self, remote: str, forwarded: str, proxies: int) -> None:
        address = client_address(remote, forwarded, proxies)
        assert address is None or address.version in {4, 6}


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class TestTokenBucket:
    def test_a_burst_then_the_average(self) -> None:
        time = Time()
        bucket = TokenBucket(per_minute=30, burst=3, clock=time)
        assert [bucket.take() for _ in range(3)] == [0, 0, 0]
        assert bucket.take() == pytest.approx(2)
        time.now += 1.5
        assert bucket.take() == pytest.approx(0.5)
        time.now += 0.5
        assert bucket.take() == 0
        assert bucket.take() == pytest.approx(2)

    def test_a_long_silence_saves_up_no_more_than_a_burst(self) -> None:
        time = Time()
        bucket = TokenBucket(per_minute=600, burst=2, clock=time)
        time.now += 3600
        assert [bucket.take() == 0 for _ in range(3)] == [True, True, False]

    def test_threads_share_one_count(self) -> None:
        bucket = TokenBucket(per_minute=1, burst=100, clock=Time())
        taken: list[float] = []

        def take() -> None:
            taken.extend(bucket.take() for _ in range(50))

        threads = [threading.Thread(target=take) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(taken) == 400
        assert taken.count(0) == 100
