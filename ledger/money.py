"""Money: whole minor units and an ISO 4217 code. No float, no rounding; excess digits are refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

# ISO 4217; every other currency has two decimal places.
EXPONENTS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"), 0),
    **dict.fromkeys(("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
# Far above any balance and far below 64 bits, so that a running balance cannot overflow its column.
MAX_MINOR = 10**15
MINUS = "\N{MINUS SIGN}"
CODE = re.compile(r"[A-Z]{3}")
AMOUNT = re.compile(
    r"(?P<sign>[-\N{MINUS SIGN}])?"
    r"(?P<whole>[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,3}(?:[ \u00a0\u202f][0-9]{3})+)"
    r"(?:\.(?P<fraction>[0-9]+))?"
)


@lru_cache(maxsize=1000)
def exponent(currency: str) -> int:
    """Decimal places of a currency (USD 2, JPY 0, KWD 3); ValueError unless it is three capital letters."""
    if not CODE.fullmatch(currency):
        raise ValueError(f"{currency[:12]!r} is not a currency code. Write three capital letters, such as USD.")
    return EXPONENTS.get(currency, 2)


def parse_amount(text: str, currency: str) -> int:
    """Minor units of a written amount: "1,000", "1 000" or "1000.5"; ValueError says what is wrong with it.

    Grouping is by threes and the decimal sign a point: "1,00" and "1.000" mean different sums to different people.
    """
    places = exponent(currency)
    written = text.strip()
    found = AMOUNT.fullmatch(written) if len(written) <= 40 else None
    if not written:
        raise ValueError("The amount is empty. Write digits, such as 1000.50.")
    if found is None:
        raise ValueError(f"{written[:40]!r} is not an amount. Write digits with a point for decimals, such as 1000.50.")
    fraction = found["fraction"] or ""
    if len(fraction) > places:
        raise ValueError(
            f"{written!r} has {len(fraction)} decimal places; {currency} has {places}. Leave out the others."
        )
    minor = int(re.sub(r"[^0-9]", "", found["whole"]) + fraction.ljust(places, "0"))
    if minor > MAX_MINOR:
        raise ValueError(f"{written!r} is larger than any amount kept here. Check the number of digits.")
    return -minor if found["sign"] else minor


def format_amount(minor: int, currency: str) -> str:
    """An amount for people: grouped, with a true minus sign (U+2212), without the currency."""
    places = exponent(currency)
    whole, fraction = divmod(abs(minor), 10**places)
    decimals = f".{fraction:0{places}d}" if places else ""
    return f"{MINUS if minor < 0 else ''}{whole:,}{decimals}"


def decimal_amount(minor: int, currency: str) -> Decimal:
    """An amount in major units for exports, exact and with all its decimal places: 4500 USD cents are 45.00."""
    return Decimal(minor).scaleb(-exponent(currency))


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units of one currency; adding another currency is a ValueError."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise ValueError("Money is counted in whole minor units; pass an int, never a float.")
        if abs(self.minor) > MAX_MINOR:
            raise ValueError("The amount is larger than any amount kept here. Check the number of digits.")
        exponent(self.currency)

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __str__(self) -> str:
        return f"{format_amount(self.minor, self.currency)} {self.currency}"

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} cannot be added together.")
        return other.minor
