import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.observability.redaction import MAX_MESSAGE, redact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail to jane.doe+x@mail.shop.example failed", "mail to [address] failed"),
        ("mysql+pymysql://orders:s3cr3t!@db:3306/orders", "mysql+pymysql://orders:[secret]@db:3306/orders"),
        ("key sk_test_4eC39HqLyjW used", "key [secret] used"),
        ("whsec_MfKQ9r8GKYqrTwjU is wrong", "[secret] is wrong"),
        ("Authorization: Bearer abcdef123456.xyz", "Authorization: [secret]"),
        ("shpat_0123456789abcdef", "[secret]"),
        ("card 4242424242424242.", "card [number]."),
        ("card 4242424242424242 declined", "card [number] declined"),
        ("card 4242 4242 4242 4242 declined", "card [number] declined"),
        ("card 5555-5555-5555-4444", "card [number]"),
    ],
)
def test_what_must_not_leave_is_replaced(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "order/main/5123456789012 EUR 123.45",
        "payment pi_3MtwBwLkdIwHu7ix28a3tqPa, refund re_1",
        "run 4242424242424241 of 2026-11-22T17:00:00Z",
        "2026112217000012",
    ],
)
def test_ids_amounts_and_times_stay(text: str) -> None:
    assert redact(text) == text


@given(st.text(max_size=3000), st.integers(10, 500))
def test_any_text_is_bounded(text: str, limit: int) -> None:
    once = redact(text, limit)
    assert len(once) <= limit + 3
    assert len(redact(text)) <= MAX_MESSAGE + 3


@given(st.text("ab@.-/: ", max_size=60))
def test_no_address_survives(text: str) -> None:
    assert "ab@ab.ab" not in redact(f"{text} ab@ab.ab {text}")
