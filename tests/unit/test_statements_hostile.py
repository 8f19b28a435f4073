"""Files that mean harm, or come from a broken program: refused in good time, and never with anything but an answer."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.statement_files import SAMPLES, sample, survives
from worker.domain.errors import InvalidStatement
from worker.statements.parse import parse
from worker.statements.xml import DEEPEST

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
XML = '<?xml version="1.0"?>'
STRIPE = sample("stripe_payout.csv")


def refused(content: bytes, said: str) -> None:
    started = time.process_time()
    with pytest.raises(InvalidStatement, match=said):
        parse("x", content)
    assert time.process_time() - started < 5


def test_a_billion_laughs_are_not_heard() -> None:
    refused(f'{XML}<!DOCTYPE d [<!ENTITY l0 "ha">{LAUGHS}]><d>&l11;</d>'.encode(), "declares a document type")


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE d SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE d [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x"> %p;]>',
        "<!DOCTYPE d>",
    ],
)
def test_nothing_outside_is_asked_for(doctype: str) -> None:
    refused(f"{XML}{doctype}<Document>&x;</Document>".encode(), "declares a document type")


def test_an_entity_that_nobody_declared_is_an_error_and_the_five_of_xml_are_text() -> None:
    refused(sample("camt053.xml").replace(b"Returned credit", b"&secret;"), "not well-formed XML")
    text = parse("x", sample("camt053.xml").replace(b"Returned credit", b"a &amp; b &#65;")).entries[2].text
    assert text == "a & b A"


def test_depth_has_an_end() -> None:
    refused(b"<a>" * 1_000_000, f"nested deeper than {DEEPEST} levels")
    refused(b"<a>" * (DEEPEST + 1) + b"</a>" * (DEEPEST + 1), "nested deeper")


@pytest.mark.parametrize("letter", [b"x", b"9", b" ", b'"', b","])
def test_a_cell_without_end_is_refused_or_its_row_is(letter: bytes) -> None:
    started = time.process_time()
    survives(STRIPE + b"po_1,2026-11-20 00:00:00," + letter * 1_000_000 + b"\n")
    survives(letter * 1_000_000)
    assert time.process_time() - started < 10


def test_a_long_cell_within_bounds_rejects_its_row_alone() -> None:
    content = STRIPE.replace(b"txn_9001", b"t" * 100_000)
    parsed = parse("x", content)
    assert [(one.line, one.column) for one in parsed.rejects] == [(2, "balance_transaction_id")]
    assert len(parsed.rejects[0].reason) < 100
    amount = parse("x", STRIPE.replace(b"129.90", b"9" * 100_000))
    assert [(one.line, one.column) for one in amount.rejects] == [(2, "gross")]
    assert len(amount.rejects[0].reason) < 100, "a message quotes the beginning of a cell"


@pytest.mark.parametrize("at", [0, 100, 600, -1])
def test_a_zero_byte_makes_a_file_binary(at: int) -> None:
    content = bytearray(STRIPE)
    content[at:at] = b"\x00"
    refused(bytes(content), "binary|neither UTF-8 nor|no known")


def test_utf_16_is_known_without_its_mark() -> None:
    for encoding in ("utf-16-le", "utf-16-be"):
        assert parse("x", STRIPE.decode().encode(encoding)).lines == parse("x", STRIPE).lines


def test_encodings_that_are_mixed_within_a_file_cost_names_and_no_money() -> None:
    mixed = STRIPE.replace(b"Order 1001, express", "Café".encode() + "Café".encode("cp1252"))
    assert parse("x", mixed).lines == parse("x", STRIPE).lines


@pytest.mark.parametrize("file", sorted(SAMPLES.iterdir()), ids=lambda file: file.name)
def test_every_prefix_of_a_file_is_an_answer(file: object) -> None:
    content = sample(file.name)  # type: ignore[attr-defined]
    for end in range(0, len(content), 97):
        survives(content[:end])


@pytest.mark.parametrize("file", sorted(SAMPLES.iterdir()), ids=lambda file: file.name)
@settings(max_examples=40)
@given(st.data())
def test_a_damaged_file_is_an_answer(file: object, data: st.DataObject) -> None:
    content = bytearray(sample(file.name))  # type: ignore[attr-defined]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content)))
        content[at : at + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=4))
    survives(bytes(content))


@given(
    st.binary(max_size=60), st.sampled_from([b"", b"<", b"{", b"[", b'"RH",', b"\xef\xbb\xbf", b"\xff\xfe", b"\x00"])
)
def test_any_bytes_are_an_answer(content: bytes, start: bytes) -> None:
    survives(start + content)
