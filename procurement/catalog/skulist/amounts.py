"""Amounts as people write them in a SKU list: in the denomination column, and in titles."""

from __future__ import annotations

import re

from ledger.money import exponent, format_amount, parse_amount
from procurement.catalog.regions import CURRENCIES

# Far above any card; a denomination above it is a typing mistake.
MOST_MAJOR = 1_000_000
EXPONENT = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?[eE][+-]?[0-9]+")
NEGATIVE = re.compile(r"[-\N{MINUS SIGN}]\s*[0-9]")
DECIMAL_COMMA = re.compile(r"([0-9]+),([0-9]{1,2})")
IDLE_FRACTION = re.compile(r"(.*[0-9])\.0{1,2}")
SIGNS = {
    "US$": {"USD"},
    "CA$": {"CAD"},
    "C$": {"CAD"},
    "R$": {"BRL"},
    "$": {"USD", "CAD"},
    "€": {"EUR"},
    "£": {"GBP"},
    "₺": {"TRY"},
    "TL": {"TRY"},
    "₹": {"INR"},
    "zł": {"PLN"},
    "₴": {"UAH"},
    "฿": {"THB"},
    "¥": {"JPY"},
    "円": {"JPY"},
}
MORE_CODES = {"AED", "SAR", "KWD", "QAR", "BHD", "OMR", "LBP", "AUD", "CHF"}
_NUMBER = r"[0-9](?:[0-9.,]*[0-9])?"
_SIGN = "|".join(re.escape(sign) for sign in SIGNS) + "|" + "|".join(sorted(CURRENCIES | MORE_CODES))
MARKED = re.compile(rf"(?P<before>{_SIGN})\s?(?P<first>{_NUMBER})|(?P<second>{_NUMBER})\s?(?P<after>{_SIGN})")
CONSOLE = re.compile(r"\b(playstation|ps)\s?[1-9]\b", re.IGNORECASE)
BARE = re.compile(rf"(?<![\w.,]){_NUMBER}(?![\w.,])")


def read_face(text: str, currency: str) -> tuple[int, list[str]]:
    """Minor units of a denomination and what had to be corrected; ValueError says, as a sentence, why it is none."""
    shown = text.strip()[:40]
    if not shown:
        raise ValueError("The denomination is empty.")
    if EXPONENT.fullmatch(shown):
        raise ValueError(f"The denomination “{shown}” is written with an exponent; write all its digits.")
    if NEGATIVE.match(shown):
        raise ValueError(f"The denomination “{shown}” is negative.")
    plain = _plain(shown, currency)
    try:
        minor = parse_amount(plain, currency)
    except ValueError:
        raise ValueError(f"The denomination “{shown}” is not a number of {currency}.") from None
    if minor == 0:
        raise ValueError("The denomination is zero.")
    if minor > MOST_MAJOR * 10 ** exponent(currency):
        raise ValueError(f"The denomination “{shown}” is larger than any card.")
    bare = re.sub(r"[,\s]", "", plain)
    return minor, [f"{shown} was read as {bare}."] if bare != shown else []


def _plain(text: str, currency: str) -> str:
    """With a point for decimals; "60,00" can only mean sixty, while "1,100" is left to be a group of thousands."""
    comma = DECIMAL_COMMA.fullmatch(text)
    plain = f"{comma[1]}.{comma[2]}" if comma else text
    idle = IDLE_FRACTION.fullmatch(plain)
    return idle[1] if idle and exponent(currency) == 0 else plain


def title_contradicts(title: str, currency: str, face_minor: int) -> str:
    """The sentence that says which amount the title names instead, or nothing when it names none or the right one.

    Amounts with a currency sign count first; a bare number counts only when none has one ("PlayStation 5" never).
    """
    marked = [_marked(found) for found in MARKED.finditer(title)]
    if marked:
        if any(currency in currencies and _minor(number, currency) == face_minor for number, currencies, _ in marked):
            return ""
        said = marked[0][2]
    else:
        bare = BARE.findall(CONSOLE.sub("", title))
        if not bare or any(_minor(number, currency) == face_minor for number in bare):
            return ""
        said = bare[0]
    return f"The title says {said}, the denomination is {format_amount(face_minor, currency)} {currency}."


def _marked(found: re.Match[str]) -> tuple[str, set[str], str]:
    sign = found["before"] or found["after"]
    return found["first"] or found["second"], SIGNS.get(sign, {sign}), found[0]


def _minor(number: str, currency: str) -> int | None:
    try:
        return read_face(number, currency)[0]
    except ValueError:
        return None
