"""How a supplier signs its webhooks, as data of the account: exactly one scheme is tried, never another."""

from __future__ import annotations

import re
from collections import Counter
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from procurement.errors import Refused
from procurement.suppliers.models import ALPHA, PSNB2B

Name = Annotated[str, Field(min_length=1, max_length=60)]
OptionalName = Annotated[str, Field(max_length=60)]
SignedContent = Literal[
    "raw_body", "raw_body_without_member", "member_emptied", "canonical_without_member", "field_list"
]
NEEDS_MEMBER = ("raw_body_without_member", "member_emptied")
PLACEHOLDER = re.compile(r"[{]([^{}]*)[}]")


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
    signed_content: SignedContent = "raw_body"
    # Of a field list: which top-level members, and how their values are joined. An escaped separator keeps two
    # different lists of values from making the same bytes.
    fields: Annotated[tuple[Name, ...], Field(max_length=40)] = ()
    separator: Annotated[str, Field(min_length=1, max_length=4)] = ":"
    escape: Annotated[str, Field(max_length=1)] = "\\"
    template: Annotated[str, Field(max_length=60)] = "{body}"
    timestamp: TimestampRule = TimestampRule()
    event_id_location: Literal["header", "body"] = "body"
    event_id: OptionalName = "event_id"
    event_type: Name = "event"
    order_id: Name = "order_id"
    status: Name = "status"
    trust: Literal["hint_then_poll"] = "hint_then_poll"

    @field_validator("template")
    @classmethod
    def known_places(cls, template: str) -> str:
        """`{body}` once, `{id}` and `{timestamp}` at most once, and no other brace."""
        found = Counter(PLACEHOLDER.findall(template))
        plain = PLACEHOLDER.sub("", template)
        known = set(found) <= {"body", "id", "timestamp"} and max(found.values(), default=0) == 1
        if not (known and found["body"] == 1 and "{" not in plain and "}" not in plain):
            raise ValueError("must hold {body} once, and {id} and {timestamp} at most once")
        return template

    @model_validator(mode="after")
    def signs_what_it_uses(self) -> Self:
        """What decides about a message must be under its signature, or a stranger could change it in a genuine one."""
        if self.signed_content in NEEDS_MEMBER and self.location != "body":
            raise ValueError("a signature in a header has no member to cut from the body")
        if self.timestamp.location == "header" and "{timestamp}" not in self.template:
            raise ValueError("a timestamp in a header must be in the template")
        if self.event_id_location == "header" and not (self.event_id and "{id}" in self.template):
            raise ValueError("an event id in a header must be in the template")
        if "{id}" in self.template and not self.event_id:
            raise ValueError("the template names {id}, but no event id is set")
        if self.signed_content == "raw_body" and self.location == "body":
            raise ValueError("a signature in the body cannot sign the body it stands in")
        if self.signed_content == "field_list":
            self._check_fields()
        return self

    def _check_fields(self) -> None:
        used = {self.order_id, self.status}
        used |= {self.timestamp.name} if self.timestamp.location == "body" else set()
        used |= {self.event_id} if self.event_id and self.event_id_location == "body" else set()
        missing = sorted(used - set(self.fields))
        if missing:
            raise ValueError(f"the field list leaves {', '.join(missing)} unsigned")
        if self.name in self.fields or len(set(self.fields)) != len(self.fields):
            raise ValueError("the field list names the signature itself, or a field twice")


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


CONTENT_WORDS = {
    "raw_body": "the body as it came",
    "raw_body_without_member": "the body as it came, with the member {name} cut out",
    "member_emptied": "the body as it came, with the member {name} emptied",
    "canonical_without_member": "the body without {name}, its names sorted, without white space",
    "field_list": "the values of {fields}, joined by “{separator}”",
}
FORMAT_WORDS = {"iso": "ISO 8601", "unix_s": "Unix seconds", "unix_ms": "Unix milliseconds"}


def in_words(scheme: Scheme) -> list[tuple[str, str]]:
    """A scheme as people read it: where the signature stands, what it signs, how old a message may be, what repeats."""
    place = f"the header {scheme.name}" if scheme.location == "header" else f"the member {scheme.name} of the body"
    prefix = f", {'always' if scheme.prefix_required else 'perhaps'} after “{scheme.prefix}”" if scheme.prefix else ""
    content = CONTENT_WORDS[scheme.signed_content].format(
        name=scheme.name, fields=", ".join(scheme.fields), separator=scheme.separator
    )
    joined = f"{scheme.template}, where {{body}} is {content}" if scheme.template != "{body}" else content
    stamp, id_place = scheme.timestamp, "header" if scheme.event_id_location == "header" else "member"
    of = "of this sending" if stamp.semantics == "attempt" else "of the event, the same in every repetition"
    return [
        ("Signature", f"HMAC-SHA256 in {place}, {scheme.encoding}{prefix}"),
        ("Signs", joined),
        ("Secret", {"utf8": "used as text"}.get(scheme.secret_encoding, f"decoded from {scheme.secret_encoding}")),
        ("Time", f"{stamp.location} {stamp.name}, {FORMAT_WORDS[stamp.format]}, {of}; at most {stamp.tolerance} s old"),
        ("Same event", f"same {id_place} {scheme.event_id}" if scheme.event_id else "same bytes"),
        ("Trust", "A message only makes its order be read from the supplier"),
    ]
