"""Which one scheme signed all of some captured deliveries. A finite list is tried here, by the very code that judges
messages; messages themselves are judged by the one confirmed scheme and never by another.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

from pydantic import ValidationError

from procurement.suppliers.clients.strict_json import BadJson, parse
from procurement.suppliers.schemes import DEFAULTS, Scheme
from procurement.suppliers.webhooks import found_at, plain_text, read_stamp, secret_bytes, signing_secret
from procurement.vault import Secret

FEWEST = 5
MOST_PLACES, MOST_STAMPS, MOST_IDS = 4, 4, 3
CLOSE = timedelta(days=2)
SIGNATURE = re.compile(r"(?P<prefix>[A-Za-z0-9]{1,12}[=,:])?(?P<value>[0-9A-Fa-f]{64}|[A-Za-z0-9+/]{43}=)")
TEMPLATES = ("{body}", "{timestamp}.{body}", "{timestamp}{body}", "{id}.{timestamp}.{body}")
CONTENTS = ("raw_body", "raw_body_without_member", "member_emptied", "canonical_without_member", "field_list")
BYTES = ("raw_body", "raw_body_without_member", "member_emptied")
LIST_SETTINGS = ("fields", "separator", "escape")
SEPARATORS = (":", "|", ".")
FORMATS = ("iso", "unix_s", "unix_ms")
ATTEMPT_TOLERANCE, EVENT_TOLERANCE = 300, 24 * 3600 + 300
STAMP_NAMES = ("timestamp", "created_at", "occurred_at", "sent_at", "time")
ID_NAMES = ("event_id", "id", "delivery_id", "message_id", "webhook-id")


@dataclass(frozen=True)
class Delivery:
    """One message as it came: header names in any case, and every byte of the body."""

    headers: Mapping[str, str]
    body: bytes
    received_at: datetime

    @property
    def data(self) -> Mapping[str, Any]:
        try:
            found = parse(self.body)
        except BadJson:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Findings:
    """What a calibration found: `missing` says which deliveries are still needed, `fitting` every scheme that fits all."""

    deliveries: int
    tried: int
    missing: Sequence[str] = ()
    fitting: Sequence[Scheme] = ()
    problem: str = ""
    partly: int = 0

    @property
    def scheme(self) -> Scheme | None:
        """The single scheme that may be proposed."""
        return self.fitting[0] if len(self.fitting) == 1 and not (self.missing or self.problem) else None

    @property
    def sentence(self) -> str:
        """What was found, what it means and what to do."""
        if self.missing:
            return f"Not enough to tell schemes apart: {', '.join(self.missing)}. Nothing was proposed."
        if self.problem:
            return f"{self.problem} Nothing was proposed."
        if not self.fitting:
            best = f"the best fits {self.partly}" if self.partly else "none fits even one"
            return (
                f"None of {self.tried:,} known schemes fits all {self.deliveries} deliveries ({best}). Check that the "
                "secret is the one these deliveries were signed with. Until a scheme fits, messages can only be hints."
            )
        if len(self.fitting) > 1:
            return (
                f"{len(self.fitting)} schemes fit all {self.deliveries} deliveries, so it is not known which is the "
                "supplier's. Capture more deliveries that differ. Nothing was proposed."
            )
        return f"Exactly one of {self.tried:,} known schemes fits all {self.deliveries} deliveries."


class Headers(dict[str, str]):
    """Headers found in any case."""

    def __init__(self, given: Mapping[str, str]) -> None:
        super().__init__({name.lower(): value for name, value in given.items()})

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


def has_decimals(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(has_decimals, value.values()))
    if isinstance(value, list):
        return any(map(has_decimals, value))
    return isinstance(value, Decimal)


def same_event(delivery: Delivery, base: Scheme) -> tuple[str, ...]:
    """What a repetition of an event shares with it."""
    data = delivery.data
    names = [base.event_id] if base.event_id and data.get(base.event_id) else [base.order_id, base.status]
    return tuple(plain_text(data.get(name)) for name in names)


def repeated(deliveries: Sequence[Delivery], base: Scheme) -> list[tuple[Delivery, Delivery]]:
    """Pairs of deliveries that are one event sent twice."""
    first: dict[tuple[str, ...], Delivery] = {}
    pairs = []
    for one in deliveries:
        key = same_event(one, base)
        if key in first and any(key):
            pairs.append((first[key], one))
        first.setdefault(key, one)
    return pairs


def missing(deliveries: Sequence[Delivery], base: Scheme) -> list[str]:
    """Which deliveries are still needed before one scheme can be told from another."""
    found = []
    if len(deliveries) < FEWEST:
        found.append(f"{FEWEST - len(deliveries)} more deliveries")
    if all(one.body.isascii() and b"\\u" not in one.body for one in deliveries):
        found.append("one with a letter that is not ASCII, such as é")
    if not any(has_decimals(one.data) for one in deliveries):
        found.append("one with a number that has decimals")
    if not repeated(deliveries, base):
        found.append("one that the supplier sent twice")
    return found


def in_all(deliveries: Sequence[Delivery], location: str) -> list[str]:
    """Header or top-level member names that every delivery has, in the order of the first."""
    sets = [list(one.headers) if location == "header" else list(one.data) for one in deliveries]
    return [name for name in sets[0] if all(name in other for other in sets[1:])]


def values(deliveries: Sequence[Delivery], location: str, name: str) -> list[object]:
    return [found_at(location, name, Headers(one.headers), one.data) for one in deliveries]


def signature_places(deliveries: Sequence[Delivery]) -> Iterator[dict[str, Any]]:
    """Where something that can be an HMAC-SHA256 stands in every delivery, with its prefix and encoding."""
    for location in ("header", "body"):
        for name in in_all(deliveries, location):
            found = [SIGNATURE.fullmatch(plain_text(value)) for value in values(deliveries, location, name)]
            shapes = {(m["prefix"] or "", "hex" if len(m["value"]) == 64 else "base64") for m in found if m}
            if all(found) and len(shapes) == 1:
                prefix, encoding = shapes.pop()
                yield {
                    "location": location, "name": name, "prefix": prefix, "prefix_required": bool(prefix), "encoding": encoding,
                }  # fmt: skip


def stamp_places(deliveries: Sequence[Delivery]) -> Iterator[dict[str, Any]]:
    """Where a moment near the arrival stands in every delivery, and how it is written."""
    for location, form in product(("body", "header"), FORMATS):
        for name in in_all(deliveries, location):
            rule = {"location": location, "name": name, "format": form}
            probe = DEFAULTS["psnb2b"].model_copy(
                update={"timestamp": DEFAULTS["psnb2b"].timestamp.model_copy(update=rule)}
            )
            moments = [read_stamp(value, probe) for value in values(deliveries, location, name)]
            if all(at and abs(one.received_at - at) < CLOSE for at, one in zip(moments, deliveries, strict=True)):
                yield rule


def id_places(deliveries: Sequence[Delivery], base: Scheme) -> Iterator[dict[str, Any]]:
    """Where an id of the event can stand: never the same for two things that happened."""
    happened = [(plain_text(one.data.get(base.order_id)), plain_text(one.data.get(base.status))) for one in deliveries]
    for location in ("body", "header"):
        for name in in_all(deliveries, location):
            ids = [plain_text(value) for value in values(deliveries, location, name)]
            told = dict(zip(ids, happened, strict=True))
            apart = all(told[event_id] == what for event_id, what in zip(ids, happened, strict=True))
            if name.lower() in ID_NAMES and all(ids) and apart:
                yield {"event_id_location": location, "event_id": name}


def usual_first(
    places: Iterator[dict[str, Any]], deliveries: Sequence[Delivery], kind: str, names: Sequence[str], most: int
) -> list[dict[str, Any]]:
    """At most `most` places, those with a usual name first; of places that always say the same, only one."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for one in sorted(places, key=lambda one: str(one[kind]).lower() not in names):
        location = one.get("location") or one["event_id_location"]
        said = tuple(plain_text(value) for value in values(deliveries, location, one[kind]))
        found.setdefault(said, one)
    return list(found.values())[:most]


def with_semantics(rule: dict[str, Any], deliveries: Sequence[Delivery], base: Scheme) -> dict[str, Any]:
    """Whether a repetition is stamped anew, which decides how old a message may be."""
    same = [
        found_at(rule["location"], rule["name"], Headers(one.headers), one.data)
        == found_at(rule["location"], rule["name"], Headers(again.headers), again.data)
        for one, again in repeated(deliveries, base)
    ]
    event = bool(same) and all(same)
    return {
        **rule,
        "semantics": "event" if event else "attempt",
        "tolerance": EVENT_TOLERANCE if event else ATTEMPT_TOLERANCE,
    }


def field_lists(deliveries: Sequence[Delivery], name: str) -> list[dict[str, Any]]:
    """Lists of all plain members, in order of appearance and by name."""
    plain = [one for one in in_all(deliveries, "body") if one != name]
    plain = [
        one for one in plain if not any(isinstance(value, (dict, list)) for value in values(deliveries, "body", one))
    ]
    orders = {tuple(plain), tuple(sorted(plain))} if plain else set()
    return [
        {"fields": fields, "separator": separator, "escape": escape}
        for fields, separator, escape in product(sorted(orders), SEPARATORS, ("", "\\"))
    ]


def candidates(deliveries: Sequence[Delivery], base: Scheme) -> list[Scheme]:
    """Every scheme of the finite list that these deliveries could have been signed by."""
    signatures = list(signature_places(deliveries))[:MOST_PLACES]
    stamps = usual_first(stamp_places(deliveries), deliveries, "name", STAMP_NAMES, MOST_STAMPS)
    ids = usual_first(id_places(deliveries, base), deliveries, "event_id", ID_NAMES, MOST_IDS)
    ids = [*ids, {"event_id": "", "event_id_location": "body"}]
    found: dict[tuple[Any, ...], Scheme] = {}
    for place, template, content, encoding in product(signatures, TEMPLATES, CONTENTS, ("utf8", "hex", "base64")):
        lists = field_lists(deliveries, place["name"]) if content == "field_list" else [{}]
        for rule, event_id, listed in product(stamps, ids, lists):
            scheme = _scheme(
                base, {**place, **event_id, **listed, "template": template, "signed_content": content,
                       "secret_encoding": encoding, "timestamp": with_semantics(rule, deliveries, base)}
            )  # fmt: skip
            if scheme is not None:
                found.setdefault(_what_is_signed(scheme), scheme)
    return list(found.values())


def _scheme(base: Scheme, changes: dict[str, Any]) -> Scheme | None:
    """The scheme with these settings; None when it would leave something unsigned."""
    kept = {name: getattr(base, name) for name in ("event_type", "order_id", "status")}
    try:
        return Scheme.model_validate({**kept, **changes})
    except ValidationError:
        return None


def _what_is_signed(scheme: Scheme) -> tuple[Any, ...]:
    """Schemes equal in this make the same bytes; of those the first, with the most usual names, stands for all."""
    stamp = (scheme.timestamp.location, scheme.timestamp.name) if "{timestamp}" in scheme.template else ()
    event_id = (scheme.event_id_location, scheme.event_id) if "{id}" in scheme.template else ()
    listed = (scheme.fields, scheme.separator, scheme.escape) if scheme.signed_content == "field_list" else ()
    place = (scheme.location, scheme.name, scheme.prefix, scheme.encoding, scheme.secret_encoding)
    return (*place, scheme.signed_content, scheme.template, stamp, event_id, listed)


def usable(secrets: Mapping[str, Secret], encoding: str) -> bool:
    return any(secret_bytes(secret, encoding) for secret in secrets.values())


def fits(scheme: Scheme, one: Delivery, secrets: Mapping[str, Secret]) -> bool:
    """Whether one delivery is genuine under one scheme, by the code that judges messages."""
    return bool(signing_secret(one.body, one.data or None, Headers(one.headers), scheme, secrets))


def calibrate(deliveries: Sequence[Delivery], secrets: Mapping[str, Secret], dialect: str) -> Findings:
    """Find the single scheme that verifies every delivery; nothing is stored."""
    base = DEFAULTS[dialect]
    lacking = missing(deliveries, base)
    if not deliveries or not secrets:
        problem = "" if secrets else "No webhook secret is set, so no signature can be checked."
        return Findings(len(deliveries), 0, lacking, problem=problem)
    if not all(one.data for one in deliveries):
        return Findings(len(deliveries), 0, lacking, problem="A delivery is not a JSON object within bounds.")
    tried = [scheme for scheme in candidates(deliveries, base) if usable(secrets, scheme.secret_encoding)]
    scores = [sum(fits(scheme, one, secrets) for one in deliveries) for scheme in tried]
    fitting = [scheme for scheme, score in zip(tried, scores, strict=True) if score == len(deliveries)]
    return Findings(len(deliveries), len(tried), lacking, strictest(fitting), partly=max(scores, default=0))


def strictest(fitting: Sequence[Scheme]) -> list[Scheme]:
    """The fitting schemes, without those that only accept more than another one that fits as well.

    Of bytes as they came and rewritten bytes the first stays: where a supplier sends what it would rewrite, both fit.
    Of a field list with and without an escape the first stays: without it two messages can share a signature.
    """
    return [scheme for scheme in fitting if not any(_is_looser(scheme, other) for other in fitting)]


def _is_looser(scheme: Scheme, other: Scheme) -> bool:
    both_lists = scheme.signed_content == other.signed_content == "field_list"
    if both_lists and other.escape and not scheme.escape:
        return _alike(scheme, other, "escape")
    rewritten = scheme.signed_content in {"canonical_without_member", "field_list"}
    return rewritten and other.signed_content in BYTES and _alike(scheme, other, "signed_content", *LIST_SETTINGS)


def _alike(one: Scheme, other: Scheme, *but: str) -> bool:
    """Whether two schemes differ in nothing else that decides which bytes are signed."""
    first, second = one.model_dump(exclude=set(but)), other.model_dump(exclude=set(but))
    return first == second


def read_captured(text: bytes, received_at: datetime) -> Delivery:
    """A delivery from a file: header lines, an empty line, the body as it came. ValueError says what is wrong."""
    head, mark, body = text.partition(b"\r\n\r\n")
    if not mark:
        head, mark, body = text.partition(b"\n\n")
    if not mark:
        raise ValueError("holds no empty line between its headers and its body")
    lines = [line for line in head.decode("latin-1").splitlines() if ":" in line and not line.startswith("POST ")]
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Delivery(headers, body, received_at)


def from_sealed(message: str, received_at: datetime) -> Delivery:
    """A delivery as `receiving.capture` kept it."""
    try:
        data = json.loads(message)
        body = base64.b64decode(data["body"], validate=True)
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise ValueError("cannot be read") from None
    return Delivery({name.lower(): value for name, value in data["headers"].items()}, body, received_at)
