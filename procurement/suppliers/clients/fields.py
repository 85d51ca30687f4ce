"""Field types of supplier messages: strict about what is used, silent about the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from ledger.money import CODE, MAX_MINOR, exponent

MAJOR = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?")
# Short enough to stand, together with an account's id, in the reference of a piece of work.
IDENTIFIER = re.compile(r"[\x21-\x7e]{1,90}")
WHOLE_ANSWER = ConfigDict(strict=True, extra="ignore", frozen=True)


class Message(BaseModel):
    """Base of every message read from a supplier; unknown fields are left aside."""

    model_config = WHOLE_ANSWER


def as_major(value: Any) -> Decimal:
    """A non-negative amount in major units, written as text or as a JSON number; never through a float."""
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise ValueError("must be an amount")
    text = value.strip() if isinstance(value, str) else format(Decimal(value), "f")
    if not MAJOR.fullmatch(text):
        raise ValueError("must be an amount such as 50.00")
    return Decimal(text)


def as_identifier(value: Any) -> str:
    """An id as text; whole numbers are taken too, because some systems count."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not IDENTIFIER.fullmatch(text):
        raise ValueError("must be an id of 1 to 90 printable characters without spaces")
    return text


def as_moment(value: Any) -> datetime:
    """A moment in UTC from ISO 8601 text; text without a zone is refused, because nobody knows what it means."""
    if not isinstance(value, str) or len(value) > 40:
        raise ValueError("must be a time such as 2026-01-31T09:00:00Z")
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("must be a time with its zone, such as 2026-01-31T09:00:00Z") from None


def as_currency(value: Any) -> str:
    if not isinstance(value, str) or not CODE.fullmatch(value):
        raise ValueError("must be a currency code such as USD")
    return value


Major = Annotated[Decimal, BeforeValidator(as_major)]
Identifier = Annotated[str, BeforeValidator(as_identifier)]
Moment = Annotated[datetime, BeforeValidator(as_moment)]
Currency = Annotated[str, BeforeValidator(as_currency)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=60)]
Words = Annotated[str, StringConstraints(max_length=500)]
Count = Annotated[int, Field(ge=0, le=10_000_000)]


def to_minor(major: Decimal, currency: str) -> int:
    """Minor units of an exact amount in major units; ValueError when the currency has fewer decimals than are used."""
    try:
        minor = major.scaleb(exponent(currency))
    except InvalidOperation:
        raise ValueError("the amount is out of range") from None
    if minor != minor.to_integral_value() or abs(minor) > MAX_MINOR:
        raise ValueError(f"{major} has more decimals than {currency} knows, or is too large")
    return int(minor)


def major_text(minor: int, currency: str) -> str:
    """Minor units as major units for a request, without trailing zeros: 5000 USD cents are "50"."""
    places = exponent(currency)
    major = Decimal(minor).scaleb(-places)
    return format(major.to_integral_value() if major == major.to_integral_value() else major.normalize(), "f")


def renamed(data: Any, names: Mapping[str, str]) -> Any:
    """Give assumed fields their contract names where the supplier uses others (settings "fields": ours -> theirs)."""
    if isinstance(data, dict):
        ours = {new: data[old] for new, old in names.items() if old in data and new not in data}
        return {key: renamed(value, names) for key, value in {**data, **ours}.items()}
    return [renamed(item, names) for item in data] if isinstance(data, list) else data
