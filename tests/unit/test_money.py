"""Money is whole minor units of one currency: nothing is lost, invented or mixed."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.contract.currencies import EXPONENTS
from worker.domain.errors import InvalidInput
from worker.domain.money import EXPONENTS_BY_PROVIDER, Money, allocate, exponent, format_minor, parse_major

PROVIDERS = ("iso", *EXPONENTS_BY_PROVIDER)
CURRENCIES = sorted(EXPONENTS)
minors = st.integers(-(10**15), 10**15)
weights = st.lists(st.integers(0, 10**9), min_size=1, max_size=12).filter(any)


@given(minors, weights)
def test_shares_sum_exactly_and_lie_next_to_their_fair_part(minor: int, of: list[int]) -> None:
    shares = allocate(minor, of)
    assert sum(shares) == minor
    total = sum(of)
    # |share - minor * weight / total| < 1, in whole numbers
    assert all(abs(share * total - minor * weight) < total for share, weight in zip(shares, of, strict=True))


@given(minors, weights)
def test_a_split_of_the_negative_is_the_negative_of_the_split(minor: int, of: list[int]) -> None:
    assert allocate(-minor, of) == [-share for share in allocate(minor, of)]


def test_the_first_of_equals_gets_the_odd_unit() -> None:
    assert allocate(100, [1, 1, 1]) == [34, 33, 33]
    assert allocate(-100, [1, 1, 1]) == [-34, -33, -33]
    assert allocate(5, [0, 1]) == [0, 5]


@pytest.mark.parametrize("of", [[], [0], [0, 0], [2, -1], [-1]])
def test_weights_that_mean_nothing_are_refused(of: list[int]) -> None:
    with pytest.raises(InvalidInput, match="weights"):
        allocate(100, of)


@given(minors, st.sampled_from(CURRENCIES), st.sampled_from(PROVIDERS))
def test_what_is_written_reads_back(minor: int, currency: str, provider: str) -> None:
    text = format_minor(minor, currency, provider)
    assert parse_major(text.replace(",", ""), currency, provider) == minor
    assert Decimal(text.replace(",", "")) == Decimal(minor).scaleb(-exponent(currency, provider))
    _, point, decimals = text.partition(".")
    assert (len(decimals), bool(point)) == (exponent(currency, provider), exponent(currency, provider) > 0)


@given(st.integers(-(10**20) + 1, 10**20 - 1), st.sampled_from(["EUR", "CLF"]))
def test_what_is_read_stays_exact_far_beyond_any_column(minor: int, currency: str) -> None:
    assert parse_major(format_minor(minor, currency).replace(",", ""), currency) == minor


@pytest.mark.parametrize(
    ("currency", "provider", "decimals"),
    [
        ("EUR", "iso", 2),
        ("JPY", "iso", 0),
        ("KWD", "iso", 3),
        ("CLF", "iso", 4),
        ("ISK", "iso", 0),
        ("ISK", "stripe", 2),
        ("UGX", "iso", 0),
        ("UGX", "stripe", 2),
        ("MGA", "iso", 2),
        ("MGA", "stripe", 0),
        ("CLP", "iso", 0),
        ("CLP", "adyen", 2),
        ("IDR", "adyen", 0),
        ("EUR", "nobody", 2),
    ],
)
def test_decimals_are_the_providers_where_it_departs_from_iso(currency: str, provider: str, decimals: int) -> None:
    assert exponent(currency, provider) == decimals


def test_providers_depart_only_for_currencies_that_exist() -> None:
    for provider, own in EXPONENTS_BY_PROVIDER.items():
        assert own.keys() <= EXPONENTS.keys(), provider
        assert {code for code, decimals in own.items() if EXPONENTS[code] == decimals} == set(), provider


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (123456, "EUR", "1,234.56"),
        (-5, "EUR", "-0.05"),
        (0, "JPY", "0"),
        (-1234567, "JPY", "-1,234,567"),
        (1, "KWD", "0.001"),
    ],
)
def test_amounts_are_written_for_people(minor: int, currency: str, text: str) -> None:
    assert format_minor(minor, currency) == text
    assert str(Money(minor, currency)) == f"{currency} {text}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "abc",
        "1,234.56",
        "0.005",
        "NaN",
        "Infinity",
        "-Infinity",
        "sNaN",
        "1e",
        "1 2",
        "€5",
        "٣",
        "1_0",
        "+5",
        ".5",
        "5.",
    ],
)
def test_what_is_no_amount_of_the_currency_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_major(text, "EUR")


@pytest.mark.parametrize("text", ["1e400", "1e999999", "1e-999999999999", "9" * 5000, "1E+1000000000", "9" * 19])
def test_absurd_magnitudes_are_refused_before_they_cost_anything(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_major(text, "EUR")


@given(st.text(max_size=30))
def test_reading_any_text_raises_nothing_but_invalid_input(text: str) -> None:
    try:
        read = parse_major(text, "EUR")
    except InvalidInput:
        return
    assert type(read) is int


@pytest.mark.parametrize("minor", [1.0, True, False, "1", None, Decimal(1)])
def test_only_whole_numbers_are_minor_units(minor: object) -> None:
    with pytest.raises(InvalidInput, match="integer"):
        Money(minor, "EUR")  # type: ignore[arg-type]  # what a caller without types might do


@pytest.mark.parametrize("currency", ["", "eur", "EU", "EURO", "E R", "ÄÖÜ", "EUR\n"])
def test_only_iso_codes_are_currencies(currency: str) -> None:
    with pytest.raises(InvalidInput, match="capital letters"):
        Money(1, currency)


@given(minors, minors, st.integers(-1000, 1000))
def test_arithmetic_is_that_of_whole_numbers(one: int, other: int, factor: int) -> None:
    left, right = Money(one, "EUR"), Money(other, "EUR")
    assert left + right == Money(one + other, "EUR")
    assert left - right == Money(one - other, "EUR")
    assert -left == Money(-one, "EUR")
    assert left * factor == Money(one * factor, "EUR")


def test_currencies_are_never_mixed() -> None:
    euro, yen = Money(1, "EUR"), Money(1, "JPY")
    with pytest.raises(InvalidInput, match="EUR and JPY"):
        _ = euro + yen
    with pytest.raises(InvalidInput, match="JPY and EUR"):
        _ = yen - euro
    assert euro != yen
    with pytest.raises(TypeError):
        _ = euro < Money(2, "EUR")  # type: ignore[operator]  # amounts are compared by their minor units
