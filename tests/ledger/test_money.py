"""Money: parsing refuses what it cannot be sure of, formatting has one form for people and one for machines."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.money import MAX_MINOR, Money, decimal_amount, exponent, format_amount, parse_amount


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("1,000", "USD", 100_000),
        ("1 000", "USD", 100_000),
        ("1\u00a0000.05", "EUR", 100_005),
        ("1000.5", "USD", 100_050),
        ("  12.34 ", "USD", 1_234),
        ("-3.20", "USD", -320),
        ("\u22123.20", "USD", -320),
        ("1,234,567", "JPY", 1_234_567),
        ("0.125", "KWD", 125),
        ("0", "USD", 0),
    ],
)
def test_amounts_as_people_write_them(text: str, currency: str, minor: int) -> None:
    assert parse_amount(text, currency) == minor


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "1,00", "1.000", "1.005", "10,00,000", "1,000 000", "1e3", "NaN", "inf", "0x10", "1_000",
        "\u0661\u0662", "\uff11", "+5", "--5", "5.", ".5", "5 USD", "1.2.3", "9" * 30, "1\n000",
    ],
)  # fmt: skip
def test_doubtful_amounts_are_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        parse_amount(text, "USD")


def test_excess_digits_name_the_currency() -> None:
    with pytest.raises(ValueError, match=r"1 decimal places; JPY has 0"):
        parse_amount("100.5", "JPY")


@pytest.mark.parametrize(
    ("currency", "places"), [("USD", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("BHD", 3), ("OMR", 3)]
)
def test_exponent_of_a_currency(currency: str, places: int) -> None:
    assert exponent(currency) == places


@pytest.mark.parametrize("code", ["usd", "US", "USDT", "", "U$D", "\u00c4BC", "USD\n"])
def test_what_is_no_currency_code_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match="currency code"):
        exponent(code)


def test_both_forms_of_an_amount() -> None:
    assert format_amount(-123_450, "USD") == "\u22121,234.50"
    assert decimal_amount(-123_450, "USD") == Decimal("-1234.50")
    assert format_amount(5, "USD") == "0.05"
    assert format_amount(1_234, "JPY") == "1,234"
    assert str(decimal_amount(1_234, "KWD")) == "1.234"
    assert str(Money(123_450, "USD")) == "1,234.50 USD"


@given(st.integers(-MAX_MINOR, MAX_MINOR), st.sampled_from(["USD", "JPY", "KWD"]))
def test_every_written_amount_reads_back(minor: int, currency: str) -> None:
    assert parse_amount(format_amount(minor, currency), currency) == minor
    assert parse_amount(str(decimal_amount(minor, currency)), currency) == minor


def test_currencies_are_never_added_together() -> None:
    assert Money(5, "USD") + Money(7, "USD") - Money(2, "USD") == Money(10, "USD")
    with pytest.raises(ValueError, match="cannot be added"):
        Money(5, "USD") + Money(5, "EUR")


@pytest.mark.parametrize("minor", [1.0, True, "5", MAX_MINOR + 1])
def test_money_is_whole_minor_units(minor: object) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        Money(minor, "USD")  # type: ignore[arg-type]
