"""Fees, money in reports, and the parameters of form bodies at the simulated provider."""

from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.simulator.provider import settings
from infra.local.simulator.provider.currencies import major
from infra.local.simulator.provider.errors import ProviderRefusal
from infra.local.simulator.provider.fees import charge_fee
from infra.local.simulator.provider.forms import Params, parse
from infra.local.simulator.provider.settings import Settings
from infra.local.simulator.store import Store


@pytest.mark.parametrize(
    ("amount", "fee"),
    # 50: 1.45 -> 1; 1050: 30.45 -> 30; 1000: 29; 500: 14.5 -> 15 (half up, where banker's rounding says 14)
    [(0, 0), (50, 31), (500, 45), (1000, 59), (1050, 60), (2000, 88), (99_999_999, 2_900_030)],
)
def test_the_fee_is_2_9_percent_half_up_plus_30(amount: int, fee: int) -> None:
    assert charge_fee(amount, Settings()) == fee


@given(st.integers(1, 99_999_999), st.integers(0, 2000), st.integers(0, 500))
def test_the_fee_agrees_with_decimal_arithmetic(amount: int, basis_points: int, fixed: int) -> None:
    share = (Decimal(amount) * basis_points / 10_000).quantize(Decimal(1), ROUND_HALF_UP)
    assert charge_fee(amount, Settings(fee_basis_points=basis_points, fee_fixed=fixed)) == int(share) + fixed


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(1050, "eur", "10.50"), (-5, "eur", "-0.05"), (500, "jpy", "500"), (-500, "jpy", "-500"), (5120, "kwd", "5.120")],
)
def test_reports_write_major_units(minor: int, currency: str, text: str) -> None:
    assert major(minor, currency) == text


@given(st.integers(-(10**12), 10**12), st.sampled_from(["eur", "jpy", "kwd"]))
def test_major_units_lose_nothing(minor: int, currency: str) -> None:
    digits = {"eur": 2, "jpy": 0, "kwd": 3}[currency]
    assert Decimal(major(minor, currency)).scaleb(digits) == minor


def test_nested_keys_and_lists_are_read() -> None:
    form = parse(
        "metadata[order_id]=7&metadata[shop]=main&expand[]=a.b&expand[]=c&created[gte]=5&types[1]=y&types[0]=x"
    )
    assert form == {
        "metadata": {"order_id": "7", "shop": "main"},
        "expand": {"0": "a.b", "1": "c"},
        "created": {"gte": "5"},
        "types": {"1": "y", "0": "x"},
    }


@given(
    st.dictionaries(st.text(min_size=1, max_size=40).filter(lambda key: not set(key) & set("[]")), st.text(min_size=1))
)
def test_metadata_survives_encoding(metadata: dict[str, str]) -> None:
    encoded = urlencode({f"metadata[{key}]": value for key, value in metadata.items()})
    assert Params(parse(encoded)).metadata() == metadata


@pytest.mark.parametrize(
    ("encoded", "code"),
    [
        ("amount=12.50", "parameter_invalid_integer"),
        ("amount=%D9%A1%D9%A2", "parameter_invalid_integer"),
        ("amount=1e3", "parameter_invalid_integer"),
        ("amuont=12", "parameter_unknown"),
    ],
)
def test_parameters_are_read_strictly(encoded: str, code: str) -> None:
    def read(params: Params) -> None:
        params.integer("amount")
        params.finish()

    with pytest.raises(ProviderRefusal) as caught:
        read(Params(parse(encoded)))
    assert caught.value.fields["code"] == code


def test_metadata_has_the_providers_limits() -> None:
    for metadata in ({"k" * 41: "v"}, {"k": "v" * 501}, {f"k{i}": "v" for i in range(51)}):
        encoded = urlencode({f"metadata[{key}]": value for key, value in metadata.items()})
        with pytest.raises(ProviderRefusal):
            Params(parse(encoded)).metadata()


def test_settings_are_kept_and_refused_by_name(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite3")
    settings.change(store, {"fee_fixed": 25, "latency_seconds": 1})
    assert (settings.load(store).fee_fixed, settings.load(store).latency_seconds) == (25, 1)
    for wrong in (
        {"fee": 1},
        {"fee_fixed": "25"},
        {"fee_fixed": -1},
        {"fee_fixed": True},
        {"partial_capture": "three"},
    ):
        with pytest.raises(ValueError, match=r"fee|partial_capture"):
            settings.change(store, wrong)
    assert settings.load(store) == Settings(fee_fixed=25, latency_seconds=1)
    store.close()
