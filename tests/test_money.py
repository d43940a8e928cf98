"""The currencies of ISO 4217, and what a minor unit of one is worth in another."""

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_pipeline.money import MINOR_DIGITS, Factor, is_currency


@pytest.mark.parametrize("code", ["EUR", "USD", "GBP", "JPY", "KWD", "CHF", *MINOR_DIGITS])
def test_codes_of_iso_4217_are_currencies(code: str) -> None:
    assert is_currency(code)


@pytest.mark.parametrize("code", ["", "eur", "EU", "EURO", "ERU", "XXX", " EUR", "EUR USD", "\n"])
def test_other_texts_are_none(code: str) -> None:
    assert not is_currency(code)


@pytest.mark.parametrize(
    ("rate", "of", "to", "worth"),
    [
        (0.9, "USD", "EUR", "0.9"),
        (0.006, "JPY", "EUR", "0.6"),  # a yen has no cents: 100 yen are 60 cents
        (3.0, "KWD", "EUR", "0.3"),  # a dinar has 1,000 fils
        (160.0, "EUR", "JPY", "1.6"),
        (490.0, "KWD", "JPY", "0.49"),
        (1e-15, "USD", "EUR", "0.000000000000001"),
    ],
)
def test_a_factor_is_between_minor_units(rate: float, of: str, to: str, worth: str) -> None:
    factor = Factor.of_rate(rate, of=of, to=to)
    assert Decimal(factor.mantissa) / factor.divisor == Decimal(worth)


@given(
    st.floats(1e-12, 1e9),
    st.sampled_from(["EUR", "JPY", "KWD", "CLF"]),
    st.sampled_from(["EUR", "JPY", "KWD", "CLF"]),
)
def test_a_factor_means_the_shortest_decimal_of_its_rate_to_18_decimals(
    rate: float, of: str, to: str
) -> None:
    digits = {"EUR": 2, "JPY": 0, "KWD": 3, "CLF": 4}
    exact = Decimal(repr(rate)) * Decimal(10) ** (digits[to] - digits[of])
    factor = Factor.of_rate(rate, of=of, to=to)
    # 28 digits are enough: at most 17 of the rate.
    wanted = exact if exact > 10**9 else exact.quantize(Decimal("1e-18"), ROUND_HALF_EVEN)
    assert Decimal(factor.mantissa) / factor.divisor == wanted
    assert max(factor.mantissa, factor.divisor) < 2**63


@pytest.mark.parametrize("rate", [1e30, 1.7e308, 5e-324])
def test_a_factor_beyond_all_sense_still_fits_int64(rate: float) -> None:
    factor = Factor.of_rate(rate, of="JPY", to="CLF")
    assert 0 <= factor.mantissa < 2**63
    assert 1 <= factor.divisor <= 10**18
