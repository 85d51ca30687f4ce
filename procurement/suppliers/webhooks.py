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

from procurement.suppliers.clients.fields import as_identifier, as_moment
from procurement.suppliers.clients.strict_json import BadJson, parse
from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.schemes import DEFAULTS, Scheme, read_scheme
from procurement.suppliers.signed import NotSignable, signed_bytes
from procurement.suppliers.states import BAD_SIGNATURE, BEING_HANDLED, ERROR, TOO_OLD, UNVERIFIED
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
    signed_by: str = ""

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


def matching_secret(signed: bytes, given: bytes, secrets: Mapping[str, Secret], encoding: str) -> str:
    """The name of the secret that made the signature, or ""; all are tried, in constant time each."""
    found = ""
    for name, secret in secrets.items():
        key = secret_bytes(secret, encoding)
        fits = hmac.compare_digest(hmac.new(key, signed, hashlib.sha256).digest(), given)
        found = found or (name if fits and key else "")
    return found


def plain_text(value: object) -> str:
    """A timestamp or an id as it was written; empty for anything else, and for a header that is not plain."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    text = str(value)
    return text if len(text) <= 120 else ""


def found_at(location: str, name: str, headers: Mapping[str, str], data: Mapping[str, Any] | None) -> object:
    """What stands in a header or a top-level member; None when nothing does."""
    if location == "header":
        value = headers.get(name)
        return value if value is None or value.isascii() else None
    return (data or {}).get(name)


def read_stamp(stamp: object, scheme: Scheme) -> datetime | None:
    """The moment it names, or None when there is none or it cannot be read."""
    if scheme.timestamp.format == "iso":
        try:
            return as_moment(stamp)
        except ValueError:
            return None
    text = plain_text(stamp)
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


def _describe(found: Judgement, data: Mapping[str, Any], headers: Mapping[str, str], scheme: Scheme) -> None:
    found.data = data
    found.event_type, found.status = _text(data, scheme.event_type), _text(data, scheme.status)
    found.order_id = _id(data, scheme.order_id)
    if scheme.event_id:
        found.event_id = _id({"": found_at(scheme.event_id_location, scheme.event_id, headers, data)}, "")


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


def needs_members(scheme: Scheme) -> bool:
    """Whether the message must be read before its signature can be checked; otherwise a stranger's is never parsed."""
    inside = "body" in {scheme.location, scheme.timestamp.location if "{timestamp}" in scheme.template else ""}
    named = "{id}" in scheme.template and scheme.event_id_location == "body"
    return inside or named or scheme.signed_content in {"canonical_without_member", "field_list"}


def signing_secret(
    raw: bytes,
    data: Mapping[str, Any] | None,
    headers: Mapping[str, str],
    scheme: Scheme,
    secrets: Mapping[str, Secret],
) -> str:
    """The name of the secret whose signature the message bears under exactly this scheme, or ""."""
    given = given_signature(found_at(scheme.location, scheme.name, headers, data), scheme)
    stamp = plain_text(found_at(scheme.timestamp.location, scheme.timestamp.name, headers, data))
    event_id = plain_text(found_at(scheme.event_id_location, scheme.event_id, headers, data))
    try:
        signed = signed_bytes(raw, data, stamp, event_id, scheme)
    except NotSignable:
        signed, given = raw, b""
    return matching_secret(signed, given, secrets, scheme.secret_encoding)


def judge(account: SupplierAccount, raw: bytes, headers: Mapping[str, str], now: datetime) -> Judgement:
    """Check signature, then time, then content. Never raises for anything a stranger can send.

    Nothing of a message whose signature is wrong is taken over, not even what it says it is about.
    """
    if not account.webhook_scheme:
        return judge_unverified(account, raw, headers)
    scheme, found = read_scheme(account.webhook_scheme), Judgement()
    early = needs_members(scheme)
    data = parse_object(raw) if early else None
    found.signed_by = signing_secret(raw, data, headers, scheme, account.open_webhook_secrets(now))
    if not found.signed_by:
        return found.refuse(
            BAD_SIGNATURE, "Signature", "Missing or wrong" if account.webhook_secret_sealed else "No secret is set"
        )
    found.note("Signature", f"Fits the {found.signed_by}")
    data = data if early else parse_object(raw)
    if data is None:
        return found.refuse(ERROR, "Content", "Signed, but not a JSON object within bounds")
    _describe(found, data, headers, scheme)
    rule = scheme.timestamp
    found.occurred_at = read_stamp(found_at(rule.location, rule.name, headers, data), scheme)
    if check_time(found, now, scheme) and not found.order_id:
        return found.refuse(ERROR, "Content", f"Names no order in {scheme.order_id}")
    return found


def judge_unverified(account: SupplierAccount, raw: bytes, headers: Mapping[str, str]) -> Judgement:
    """A message of an account for which no scheme is pinned: it can't be proven, so it is only a reason to look."""
    found, scheme = Judgement(), DEFAULTS[account.dialect]
    data = parse_object(raw)
    if data is None:
        return found.refuse(ERROR, "Content", "Not a JSON object within bounds")
    _describe(found, data, headers, scheme)
    if not found.order_id:
        return found.refuse(ERROR, "Content", f"Names no order in {scheme.order_id}")
    found.event_id = ""
    return found.refuse(UNVERIFIED, "Signature", "Not checked: no scheme is confirmed for this account")
