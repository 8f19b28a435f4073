"""What is sealed opens to the very same, with its own key only; whatever was changed on the way is refused."""

import asyncio
import base64
import zlib

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload

import functions.payload_codec
from worker.contract import sealing
from worker.contract.encryption import EncryptionConfig, SealingKey, problems_of
from worker.contract.sealing import BrokenSealError, Key, KeyRing, UnknownKeyError
from worker.contract.settings import Secret
from worker.temporal import codec

OLD, NEW = bytes(range(32)), bytes(range(32, 64))


def text_of(key: bytes) -> Secret:
    return Secret(base64.b64encode(key).decode())


def config(*keys: tuple[str, bytes], enabled: bool = True, accept_clear: bool = True) -> EncryptionConfig:
    named = tuple(SealingKey(id=name, key=text_of(key)) for name, key in keys)
    return EncryptionConfig(enabled=enabled, accept_clear=accept_clear, keys=named)


def key(secret: bytes = OLD, name: str = "k1", purpose: str = "payload") -> Key:
    return Key(name, secret, AESGCM, purpose=purpose)


PAYLOADS = st.builds(
    Payload,
    metadata=st.dictionaries(st.text(max_size=12), st.binary(max_size=20), max_size=4),
    data=st.binary(max_size=300) | st.text(alphabet="abc", max_size=40).map(lambda text: text.encode() * 60),
)


@settings(max_examples=150, deadline=None)
@given(payloads=st.lists(PAYLOADS, max_size=4))
def test_any_payload_of_one_deployable_is_read_by_the_other(payloads: list[Payload]) -> None:
    edge = functions.payload_codec.SealingCodec(config(("k1", OLD)))
    worker = codec.SealingCodec(config(("k1", OLD)))
    for writes, reads in ((edge, worker), (worker, edge), (worker, worker)):
        sent = asyncio.run(writes.encode(payloads))
        assert asyncio.run(reads.decode(sent)) == payloads
        assert all(payload.metadata["encoding"] == b"binary/encrypted" for payload in sent)


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=80) | st.just(b"a" * 700), data=st.data())
def test_a_change_of_any_bit_is_refused(content: bytes, data: st.DataObject) -> None:
    whole = key().seal(content)
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    changed = bytearray(whole)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BrokenSealError):
        key().open(bytes(changed))


@pytest.mark.parametrize("content", [b"", b"short", b"long " * 400])
def test_a_change_of_every_single_byte_and_every_cut_is_refused(content: bytes) -> None:
    whole = key().seal(content)
    for place in range(len(whole)):
        with pytest.raises(BrokenSealError):
            key().open(whole[:place] + bytes([whole[place] ^ 0x80]) + whole[place + 1 :])
        with pytest.raises(BrokenSealError):
            key().open(whole[:place])
    with pytest.raises(BrokenSealError):
        key().open(whole + b"\x00")


def test_what_stands_in_clear_is_authenticated_too() -> None:
    both = codec.SealingCodec(config(("k1", OLD), ("k2", OLD)))
    (sent,) = asyncio.run(both.encode([Payload(data=b"x")]))
    sent.metadata["encryption-key-id"] = b"k2"  # the same secret, but the message says k1
    with pytest.raises(BrokenSealError, match="'k2'"):
        asyncio.run(both.decode([sent]))
    del sent.metadata["encryption-key-id"]
    with pytest.raises(BrokenSealError, match="names no key"):
        asyncio.run(both.decode([sent]))


def test_a_message_opens_only_with_what_it_is_about_and_for_its_purpose() -> None:
    whole = key(purpose="user key").seal(b"secret", b"user.1")
    assert key(purpose="user key").open(whole, b"user.1") == b"secret"
    for other, about in (
        (key(purpose="user key"), b"user.2"),
        (key(), b"user.1"),
        (key(NEW, purpose="user key"), b"user.1"),
    ):
        with pytest.raises(BrokenSealError):
            other.open(whole, about)


def test_keys_follow_one_another_and_a_missing_one_is_named() -> None:
    before, between, after = config(("a", OLD)), config(("b", NEW), ("a", OLD)), config(("b", NEW))
    (old,) = asyncio.run(codec.SealingCodec(before).encode([Payload(data=b"old")]))
    (new,) = asyncio.run(codec.SealingCodec(between).encode([Payload(data=b"new")]))
    assert (old.metadata["encryption-key-id"], new.metadata["encryption-key-id"]) == (b"a", b"b")
    assert [p.data for p in asyncio.run(codec.SealingCodec(between).decode([old, new]))] == [b"old", b"new"]
    for reads in (codec.SealingCodec(after), functions.payload_codec.SealingCodec(after)):
        with pytest.raises(UnknownKeyError, match=r"sealed with the key 'a', which is not among encryption\.keys"):
            asyncio.run(reads.decode([old]))


def test_the_same_content_never_looks_the_same_and_none_of_it_shows() -> None:
    content = b'{"email":"ada@shop.example"}'
    sealed = {key().seal(content) for _ in range(100)}
    assert len(sealed) == 100
    assert not any(b"ada" in whole for whole in sealed)


def test_what_compresses_is_smaller_and_what_does_not_is_not_larger_by_more_than_its_envelope() -> None:
    assert len(key().seal(b"the same again " * 200)) < 300
    random = bytes(AESGCM(OLD).encrypt(b"0" * 12, bytes(3000), None))
    assert len(key().seal(random)) == len(random) + 29 + 1 + 16


def test_a_message_that_would_grow_without_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = sealing._DEFLATED + zlib.compress(bytes(sealing.LARGEST + 1), 9)
    with monkeypatch.context() as patch:
        patch.setattr(sealing, "_packed", lambda _: bomb)
        whole = key().seal(b"")
        patch.setattr(sealing, "_packed", lambda _: sealing._DEFLATED + zlib.compress(b"cut off" * 100)[:-8])
        cut = key().seal(b"")
        patch.setattr(sealing, "_packed", lambda _: b"\x07of a later release")
        later = key().seal(b"")
    for message, why in ((whole, "larger than"), (cut, "cut off"), (later, "does not know")):
        with pytest.raises(BrokenSealError, match=why):
            key().open(message)
    largest = bytes(sealing.LARGEST)
    assert key().open(key().seal(largest)) == largest


@pytest.mark.parametrize("of", [codec.SealingCodec, functions.payload_codec.SealingCodec], ids=["worker", "functions"])
def test_what_is_in_clear_is_taken_until_it_is_not_to_be(of: type[codec.SealingCodec]) -> None:
    clear = Payload(metadata={"encoding": b"json/plain"}, data=b'"in flight"')
    assert asyncio.run(of(config(("a", OLD))).decode([clear])) == [clear]
    with pytest.raises(BrokenSealError, match="accept_clear is off"):
        asyncio.run(of(config(("a", OLD), accept_clear=False)).decode([clear]))


@pytest.mark.parametrize("of", [codec.SealingCodec, functions.payload_codec.SealingCodec], ids=["worker", "functions"])
def test_switched_off_it_sends_in_clear_and_opens_all_the_same(of: type[codec.SealingCodec]) -> None:
    clear = Payload(metadata={"encoding": b"json/plain"}, data=b"1")
    sent = asyncio.run(of(config(("a", OLD))).encode([clear]))
    off = of(config(("a", OLD), enabled=False))
    assert asyncio.run(off.encode([clear])) == [clear]
    assert asyncio.run(off.decode(sent)) == [clear]


def test_keys_show_nothing_of_themselves() -> None:
    ring = KeyRing([("k1", OLD)], AESGCM)
    shown = repr([config(("k1", OLD)), ring, ring["k1"], Key("k1", OLD, AESGCM)])
    assert base64.b64encode(OLD).decode() not in shown
    assert OLD.hex() not in shown


class TestSettings:
    @pytest.mark.parametrize("environment", ["test", "production"])
    def test_outside_one_machine_there_is_a_key_or_a_word_that_there_is_none(self, environment: str) -> None:
        (problem,) = problems_of(config(), environment=environment)
        assert "ORDERS_ENCRYPTION__KEYS" in problem
        assert "enabled = false" in problem
        assert problems_of(config(enabled=False), environment=environment) == []
        assert problems_of(config(("a", OLD)), environment=environment) == []

    def test_on_one_machine_it_may_go_without(self) -> None:
        assert problems_of(config(), environment="local") == []

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            (SealingKey(id="a.b", key=text_of(OLD)), "encryption.keys[0].id: use 1 to 32"),
            (SealingKey(id="a", key=text_of(OLD[:16])), "encryption.keys[0].key: is no base64 of 32 bytes"),
            (SealingKey(id="a", key=Secret("not base64!")), "encryption.keys[0].key: is no base64 of 32 bytes"),
        ],
    )
    def test_what_is_wrong_with_a_key_is_told_without_showing_it(self, given: SealingKey, expected: str) -> None:
        found = EncryptionConfig(enabled=True, accept_clear=True, keys=(given,))
        (problem,) = problems_of(found, environment="production")
        assert problem.startswith(expected)
        assert given.key.reveal() not in problem

    def test_two_keys_of_one_name_and_a_refusal_of_what_oneself_sends_are_told(self) -> None:
        assert problems_of(config(("a", OLD), ("a", NEW)), environment="local") == [
            "encryption.keys: the id 'a' stands twice"
        ]
        for deaf in (config(accept_clear=False), config(("a", OLD), enabled=False, accept_clear=False)):
            (problem,) = problems_of(deaf, environment="local")
            assert problem.startswith("encryption.accept_clear")
