"""Webhooks in: what must be true of a message before it may wake an order (R46 to R53). A message is only a hint: the
order's state is always read from the supplier itself, so a forged or repeated message can at most cause a reading.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from procurement.suppliers.clients.fields import IDENTIFIER, as_identifier, as_moment
from procurement.suppliers.clients.strict_json import BadJson, canonical, parse
from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.schemes import Scheme, read_scheme
from procurement.suppliers.states import BAD_SIGNATURE, BEING_HANDLED, ERROR, TOO_OLD
from procurement.vault import Secret

FUTURE_TOLERANCE = 300
LONGEST_SIGNATURE = 200


@dataclass
class Judgement:
    """What came of checking one message; `checks` is the story in words."""

    result: str = BEING_HANDLED
    checks: list[dict[str, str]] = field(default_factory=list)
    data: Mapping[str, Any] = field(default_factory=dict)
    event_id: str = ""
    event_type: str = ""
    order_id: str = ""
    status: str = ""
    occurred_at: datetime | None = None

    def note(self, name: str, outcome: str) -> None:
        self.checks.append({"name": name, "outcome": outcome})

    def refuse(self, result: str, name: str, outcome: str) -> Judgement:
        self.result = result
        self.note(name, outcome)
        return self


def secret_bytes(secret: Secret, encoding: str) -> bytes:
    """The key of the HMAC; empty when the secret is not written as the scheme says."""
    try:
        if encoding == "hex":
            return bytes.fromhex(secret.expose())
        return base64.b64decode(secret.expose(), validate=True) if encoding == "base64" else secret.expose_bytes()
    except (ValueError, binascii.Error):
        return b""


def given_signature(text: object, scheme: Scheme) -> bytes:
    """The signature's bytes as sent; empty for anything that cannot be one."""
    if not isinstance(text, str) or len(text) > LONGEST_SIGNATURE or not text.isascii():
        return b""
    if scheme.prefix and text.startswith(scheme.prefix):
        text = text[len(scheme.prefix) :]
    elif scheme.prefix_required:
        return b""
    try:
        if scheme.encoding == "base64":
            return base64.b64decode(text, validate=True)
        return bytes.fromhex(text) if text == "".join(text.split()) else b""
    except (ValueError, binascii.Error):
        return b""


def signed_bytes(raw: bytes, data: Mapping[str, Any] | None, stamp: str, scheme: Scheme) -> bytes:
    """The bytes that the supplier signs under this scheme."""
    body = raw
    if scheme.signed_content == "canonical_without_member" and data is not None:
        body = canonical({name: value for name, value in data.items() if name != scheme.name}).encode()
    return stamp.encode() + b"." + body if scheme.template == "{timestamp}.{body}" else body


def matching_secret(signed: bytes, given: bytes, secrets: Mapping[str, Secret], encoding: str) -> str:
    """The name of the secret that made the signature, or ""; all are tried, in constant time each."""
    found = ""
    for name, secret in secrets.items():
        key = secret_bytes(secret, encoding)
        fits = hmac.compare_digest(hmac.new(key, signed, hashlib.sha256).digest(), given)
        found = found or (name if fits and key else "")
    return found


def stamp_of(headers: Mapping[str, str], data: Mapping[str, Any] | None, scheme: Scheme) -> object:
    """The timestamp as it was written."""
    rule = scheme.timestamp
    return headers.get(rule.name) if rule.location == "header" else (data or {}).get(rule.name)


def read_stamp(stamp: object, scheme: Scheme) -> datetime | None:
    """The moment it names, or None when there is none or it cannot be read."""
    if scheme.timestamp.format == "iso":
        try:
            return as_moment(stamp)
        except ValueError:
            return None
    text = str(stamp) if isinstance(stamp, (str, int)) and not isinstance(stamp, bool) else ""
    if not (text.isascii() and text.isdigit() and len(text) <= 14):
        return None
    seconds = int(text) / (1000 if scheme.timestamp.format == "unix_ms" else 1)
    return datetime.fromtimestamp(seconds, UTC) if seconds < 32_503_680_000 else None


def parse_object(raw: bytes) -> Mapping[str, Any] | None:
    """The message as a JSON object, or None."""
    try:
        data = parse(raw)
    except BadJson:
        return None
    return data if isinstance(data, dict) else None


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return value[:60] if isinstance(value, str) else ""


def _id(data: Mapping[str, Any], name: str) -> str:
    try:
        return as_identifier(data.get(name))
    except ValueError:
        return ""


def _describe(found: Judgement, data: Mapping[str, Any], scheme: Scheme) -> None:
    found.data = data
    found.event_type, found.status = _text(data, scheme.event_type), _text(data, scheme.status)
    found.order_id = _id(data, scheme.order_id)
    found.event_id = _id(data, scheme.event_id) if scheme.event_id else ""


def in_words(seconds: float) -> str:
    """A span of time for the checks: seconds up to two minutes, else minutes, from two hours on hours."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def check_time(found: Judgement, now: datetime, scheme: Scheme) -> bool:
    """R48: whether the message is fresh enough; notes why not."""
    rule = scheme.timestamp
    if found.occurred_at is None:
        found.refuse(TOO_OLD, "Time", "No time that can be read, so nobody knows how old it is")
        return False
    age = (now - found.occurred_at).total_seconds()
    said = f"Stamped {in_words(abs(age))} {'before' if age >= 0 else 'after'} it came"
    if age > rule.tolerance or age < -FUTURE_TOLERANCE:
        found.refuse(
            TOO_OLD, "Time", f"{said}; {in_words(rule.tolerance if age > 0 else FUTURE_TOLERANCE)} are allowed"
        )
        return False
    found.note("Time", f"{said}; {in_words(rule.tolerance)} are allowed")
    return True


def judge(account: SupplierAccount, raw: bytes, headers: Mapping[str, str], now: datetime) -> Judgement:
    """Check signature, then time, then content. Never raises for anything a stranger can send."""
    scheme, found = read_scheme(account.webhook_scheme), Judgement()
    data = parse_object(raw)
    if data is not None:
        _describe(found, data, scheme)
    stamp = stamp_of(headers, data, scheme)
    given = given_signature(
        headers.get(scheme.name) if scheme.location == "header" else (data or {}).get(scheme.name), scheme
    )
    signed = signed_bytes(raw, data, stamp if isinstance(stamp, str) else "", scheme)
    used = matching_secret(signed, given, account.open_webhook_secrets(now), scheme.secret_encoding)
    if not used:
        return found.refuse(
            BAD_SIGNATURE, "Signature", "Missing or wrong" if account.webhook_secret_sealed else "No secret is set"
        )
    found.note("Signature", f"Fits the {used}")
    if data is None:
        return found.refuse(ERROR, "Content", "Signed, but not a JSON object within bounds")
    found.occurred_at = read_stamp(stamp, scheme)
    if not check_time(found, now, scheme):
        return found
    if not found.order_id or not IDENTIFIER.fullmatch(found.order_id):
        return found.refuse(ERROR, "Content", f"Names no order in {scheme.order_id}")
    return found
