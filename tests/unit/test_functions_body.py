"""Bodies: the limit holds in both framings, a cut body is an error, JSON is strict."""

import contextlib
import io
import json
from typing import Any

import pytest
from flask import Request
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

from functions.body import MAX_DEPTH, json_object, parse_json, raw_body, request_fingerprint
from functions.problems import Malformed, TooLarge, UnsupportedMedia

LIMIT = 1000


def with_length(body: bytes, announced: int | None = None, headers: dict[str, str] | None = None) -> Request:
    environ = EnvironBuilder(method="POST", data=body, headers=Headers(headers)).get_environ()
    environ["CONTENT_LENGTH"] = str(len(body) if announced is None else announced)
    return Request(environ)


def chunked(stream: io.RawIOBase | io.BytesIO) -> Request:
    environ = EnvironBuilder(method="POST").get_environ()
    environ.pop("CONTENT_LENGTH", None)
    environ.update({"wsgi.input": stream, "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"})
    return Request(environ)


class Broken(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        raise OSError("connection reset")


class Dribble(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(7, size or 0))


@pytest.mark.parametrize("size", [0, 1, LIMIT])
def test_bodies_up_to_the_limit_arrive_whole_in_both_framings(size: int) -> None:
    body = bytes(index % 251 for index in range(size))
    assert raw_body(with_length(body), LIMIT) == body
    assert raw_body(chunked(io.BytesIO(body)), LIMIT) == body
    assert raw_body(chunked(Dribble(body)), LIMIT) == body


@pytest.mark.parametrize("size", [LIMIT + 1, LIMIT * 50])
def test_larger_bodies_are_refused_in_both_framings(size: int) -> None:
    for sent in (with_length(b"x" * size), chunked(io.BytesIO(b"x" * size))):
        with pytest.raises(TooLarge):
            raw_body(sent, LIMIT)


def test_an_announced_size_is_refused_before_anything_is_read() -> None:
    sent = with_length(b"", announced=LIMIT + 1)
    sent.environ["wsgi.input"] = Broken()
    with pytest.raises(TooLarge):
        raw_body(sent, LIMIT)


def test_no_more_than_the_limit_is_taken_from_an_endless_stream() -> None:
    stream = io.BytesIO(b"x" * (LIMIT * 1000))
    with pytest.raises(TooLarge):
        raw_body(chunked(stream), LIMIT)
    assert stream.tell() <= LIMIT + 1


def test_a_body_that_ends_early_is_an_error_not_a_shorter_body() -> None:
    with pytest.raises(Malformed, match="ended before"):
        raw_body(with_length(b"12", announced=10), LIMIT)


def test_a_connection_that_breaks_is_an_error() -> None:
    with pytest.raises(Malformed, match="read to its end"):
        raw_body(chunked(Broken()), LIMIT)


def test_without_length_and_chunks_there_is_no_body() -> None:
    sent = with_length(b"ignored")
    del sent.environ["CONTENT_LENGTH"]
    assert raw_body(sent, LIMIT) == b""


def test_encoded_bodies_are_refused() -> None:
    with pytest.raises(UnsupportedMedia):
        raw_body(with_length(b"x", headers={"Content-Encoding": "gzip"}), LIMIT)
    assert raw_body(with_length(b"x", headers={"Content-Encoding": "identity"}), LIMIT) == b"x"


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
        "application/jsonx",
        "application/json; charset=latin-1",
    ],
)
def test_content_types_other_than_json_are_refused(content_type: str) -> None:
    with pytest.raises(UnsupportedMedia):
        json_object(with_length(b"{}", headers={"Content-Type": content_type}), b"{}")


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=UTF-8", "application/cloudevents+json"]
)
def test_json_content_types_are_read(content_type: str) -> None:
    assert json_object(with_length(b"{}", headers={"Content-Type": content_type}), b'{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": 1, "a": 2}',
        b'{"a": 1} x',
        b"{'a': 1}",
        b'{"a": "line\nbreak"}',
    ],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_not_strict_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        parse_json(body)


def test_depth_is_bounded_exactly() -> None:
    def nested(depth: int) -> bytes:
        return b"[" * depth + b"1" + b"]" * depth

    parse_json(nested(MAX_DEPTH))
    with pytest.raises(Malformed):
        parse_json(nested(MAX_DEPTH + 1))


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"text"', b"true"])
def test_json_that_is_no_object_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        json_object(with_length(body, headers={"Content-Type": "application/json"}), body)


@settings(max_examples=300, deadline=None)
@given(
    body=st.binary(max_size=200) | st.text(alphabet='{}[]",:0123456789.eE+-\\ntrufalsN I', max_size=60).map(str.encode)
)
def test_any_bytes_are_json_or_a_problem(body: bytes) -> None:
    with contextlib.suppress(Malformed):
        parse_json(body)


_VALUES = st.dictionaries(
    st.text(max_size=5), st.integers() | st.text(max_size=9) | st.lists(st.booleans()), max_size=5
)


@settings(max_examples=100, deadline=None)
@given(value=_VALUES, other=_VALUES)
def test_a_fingerprint_is_of_the_value_not_of_its_layout(value: dict[str, Any], other: dict[str, Any]) -> None:
    spread = json.loads(json.dumps(dict(reversed(value.items())), indent=3))
    assert request_fingerprint(spread) == request_fingerprint(value)
    assert (request_fingerprint(value) == request_fingerprint(other)) == (value == other)
