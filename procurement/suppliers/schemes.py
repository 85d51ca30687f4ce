"""How a supplier signs its webhooks, as data of the account: exactly one scheme is tried, never another."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from procurement.errors import Refused
from procurement.suppliers.models import ALPHA, PSNB2B

Name = Annotated[str, Field(min_length=1, max_length=60)]
OptionalName = Annotated[str, Field(max_length=60)]


class TimestampRule(BaseModel):
    """Where the time stands, how it is written, and how old it may be in seconds.

    `attempt`: the time of this sending; `event`: the time of what happened, which stays the same in repetitions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    location: Literal["header", "body"] = "body"
    name: Name = "timestamp"
    format: Literal["iso", "unix_s", "unix_ms"] = "iso"
    semantics: Literal["attempt", "event"] = "attempt"
    tolerance: Annotated[int, Field(ge=10, le=90_000)] = 300


class Scheme(BaseModel):
    """Where the signature stands, which bytes it signs, and where the event's facts are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    location: Literal["header", "body"]
    name: Name
    prefix: Annotated[str, Field(max_length=20)] = ""
    prefix_required: bool = False
    encoding: Literal["hex", "base64"] = "hex"
    secret_encoding: Literal["utf8", "hex", "base64"] = "utf8"  # noqa: S105 - an encoding, no secret
    signed_content: Literal["raw_body", "canonical_without_member"] = "raw_body"
    template: Literal["{body}", "{timestamp}.{body}"] = "{body}"
    timestamp: TimestampRule = TimestampRule()
    event_id: OptionalName = "event_id"
    event_type: Name = "event"
    order_id: Name = "order_id"
    status: Name = "status"
    trust: Literal["hint_then_poll"] = "hint_then_poll"


# Alpha: documented is `sha256=` in the body and that a stale time is refused; the signed bytes are assumed.
ALPHA_SCHEME = Scheme(
    location="body",
    name="signature",
    prefix="sha256=",
    prefix_required=True,
    signed_content="canonical_without_member",
    template="{timestamp}.{body}",
)
# PSN:B2B: header and HMAC are documented; retries run for 24 hours and the time is the event's, so it may be that old.
PSNB2B_SCHEME = Scheme(
    location="header",
    name="X-PSNB2B-Signature",
    prefix="sha256=",
    timestamp=TimestampRule(semantics="event", tolerance=24 * 3600 + 300),
)
DEFAULTS = {ALPHA: ALPHA_SCHEME, PSNB2B: PSNB2B_SCHEME}


def default_scheme(dialect: str) -> dict[str, Any]:
    return DEFAULTS[dialect].model_dump()


def read_scheme(data: dict[str, Any]) -> Scheme:
    """The account's scheme; Refused names the first setting that does not fit."""
    try:
        return Scheme.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused(f"The webhook scheme does not fit: {where}: {first['msg']}. Nothing was changed.") from None
