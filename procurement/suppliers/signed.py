"""Which bytes of a message a supplier signs. Bytes are cut, never rewritten, wherever the scheme signs bytes as they came."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from procurement.suppliers.clients.strict_json import canonical
from procurement.suppliers.schemes import Scheme

SPACE = re.compile(r"[ \t\n\r]*")
DECODER = json.JSONDecoder()
PLACES = re.compile(r"([{](?:body|timestamp|id)[}])")


class NotSignable(ValueError):
    """The message lacks what the scheme signs, so no signature can fit it."""


@dataclass(frozen=True)
class Span:
    """Where one top-level member stands in the text: its name's first character, its value, and the commas around it."""

    begin: int
    value: int
    end: int
    comma_before: int
    next_begin: int


def _after_space(text: str, at: int) -> int:
    found = SPACE.match(text, at)
    return found.end() if found else at


def _expect(text: str, at: int, wanted: str) -> int:
    """The place after `wanted`, which must stand at `at` but for white space."""
    at = _after_space(text, at)
    if text[at : at + 1] not in tuple(wanted):
        raise NotSignable
    return at + 1


def spans_of(text: str, name: str) -> list[Span]:
    """Every top-level member of this name, also where the name is written with escapes; NotSignable if not one object."""
    at, comma, found = _expect(text, 0, "{"), -1, []
    while True:
        begin = _after_space(text, at)
        key, at = DECODER.raw_decode(text, begin)
        if not isinstance(key, str):
            raise NotSignable
        value = _after_space(text, _expect(text, at, ":"))
        _, end = DECODER.raw_decode(text, value)
        at = _expect(text, end, ",}")
        closes = text[at - 1] == "}"
        if key == name:
            found.append(Span(begin, value, end, comma, -1 if closes else _after_space(text, at)))
        if closes:
            break
        comma = at - 1
    if _after_space(text, at) != len(text):
        raise NotSignable
    return found


def the_member(raw: bytes, name: str) -> tuple[str, Span]:
    """The text and the only top-level member of this name; NotSignable when there is none, or more than one."""
    try:
        text = raw.decode("utf-8")
        found = spans_of(text, name)
    except (ValueError, RecursionError):
        raise NotSignable from None
    if len(found) != 1:
        raise NotSignable
    return text, found[0]


def without_member(raw: bytes, name: str) -> bytes:
    """The bytes with one member and one comma cut out: the comma before it, or after it where it stands first."""
    text, span = the_member(raw, name)
    if span.comma_before >= 0:
        return (text[: span.comma_before] + text[span.end :]).encode()
    rest = span.next_begin if span.next_begin >= 0 else span.end
    return (text[: span.begin] + text[rest:]).encode()


def member_emptied(raw: bytes, name: str) -> bytes:
    """The bytes with the value of one member written as an empty text."""
    text, span = the_member(raw, name)
    return f'{text[: span.value]}""{text[span.end :]}'.encode()


def value_text(value: Any) -> str:
    """A plain value as a list of fields joins it: nothing for null or a missing one, numbers as they were written."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, Decimal)):
        return str(value)
    raise NotSignable


def field_list(data: Mapping[str, Any], scheme: Scheme) -> bytes:
    """The values of the named fields, with the separator (and the escape itself) escaped inside each."""

    def escaped(text: str) -> str:
        if not scheme.escape:
            return text
        doubled = text.replace(scheme.escape, scheme.escape * 2)
        return doubled.replace(scheme.separator, scheme.escape + scheme.separator)

    return scheme.separator.join(escaped(value_text(data.get(name))) for name in scheme.fields).encode()


def _members(data: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if data is None:
        raise NotSignable
    return data


Content = Callable[[bytes, Mapping[str, Any] | None, Scheme], bytes]
CONTENTS: dict[str, Content] = {
    "raw_body": lambda raw, data, scheme: raw,
    "raw_body_without_member": lambda raw, data, scheme: without_member(raw, scheme.name),
    "member_emptied": lambda raw, data, scheme: member_emptied(raw, scheme.name),
    "canonical_without_member": lambda raw, data, scheme: canonical(
        {name: value for name, value in _members(data).items() if name != scheme.name}
    ).encode(),
    "field_list": lambda raw, data, scheme: field_list(_members(data), scheme),
}


def signed_bytes(raw: bytes, data: Mapping[str, Any] | None, stamp: str, event_id: str, scheme: Scheme) -> bytes:
    """The bytes that the supplier signs under this scheme; NotSignable when the message lacks some of them."""
    needed = {"{timestamp}": stamp, "{id}": event_id}
    if any(place in scheme.template and not text for place, text in needed.items()):
        raise NotSignable
    content = CONTENTS[scheme.signed_content](raw, data, scheme)
    parts = {"{body}": content, "{timestamp}": stamp.encode(), "{id}": event_id.encode()}
    return b"".join(parts.get(part, part.encode()) for part in PLACES.split(scheme.template))
