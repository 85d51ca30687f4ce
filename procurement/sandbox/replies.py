"""What both dialects share about requests and replies: the call at hand, strict JSON in, JSON and error shapes out."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse

from procurement.sandbox.faults import Armed
from procurement.sandbox.limits import Standing
from procurement.sandbox.models import Account, Order, RequestLog

# The same refusal in each supplier's words.
WORDS = {
    "alpha": {"invalid": "invalid_request", "broken": "unavailable"},
    "psnb2b": {"invalid": "validation_failed", "broken": "internal_error"},
}


class ApiError(Exception):
    """A refusal with its HTTP status, the supplier's code for it, and a sentence."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}


@dataclass
class Call:
    """One request to a supplier's API while it is being answered."""

    supplier: str
    account: Account
    armed: Armed
    log: RequestLog
    where: str
    standing: Standing = field(default_factory=Standing)
    order: Order | None = None
    request_id: str = field(default_factory=lambda: f"req_{secrets.token_hex(6)}")


def call_of(request: HttpRequest) -> Call:
    call: Call = request.META["sandbox.call"]
    return call


def asked_by(request: HttpRequest) -> str:
    """The caller's own id of this request, for the controls only: no supplier shows it in its API."""
    return str(request.headers.get("X-Request-Id", ""))[:64]


def reply(data: dict[str, Any], status: int = 200) -> HttpResponse:
    return HttpResponse(json.dumps(data), status=status, content_type="application/json")


def error_reply(call: Call, error: ApiError) -> HttpResponse:
    """The error in the supplier's shape, with the headers that belong to it."""
    code = WORDS[call.supplier].get(error.code, error.code)
    body: dict[str, Any] = {"code": code, "message": error.message}
    if call.supplier == "alpha":
        body["request_id"] = call.request_id
    response = reply({"error": body}, error.status)
    for name, value in error.headers.items():
        response[name] = value
    return response


def allow(request: HttpRequest, *methods: str) -> None:
    if request.method not in methods:
        raise ApiError(405, "invalid", f"Only {' and '.join(methods)} here.", {"Allow": ", ".join(methods)})


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON.")


def json_object(request: HttpRequest) -> dict[str, Any]:
    """The body as a JSON object; ApiError 400, 413, 415 or 422 otherwise."""
    if request.content_type != "application/json":
        raise ApiError(415, "invalid", "Send Content-Type: application/json.")
    try:
        data = json.loads(request.body.decode("utf-8"), parse_constant=refuse_constant)
    except RequestDataTooBig:
        raise ApiError(413, "invalid", "The body is larger than 64 KiB.") from None
    except (ValueError, RecursionError):
        raise ApiError(400, "invalid", "The body is not JSON in UTF-8.") from None
    if not isinstance(data, dict):
        raise ApiError(422, "invalid", "The body must be a JSON object.")
    return data


def read_members(
    request: HttpRequest,
    required: dict[str, Callable[[Any], Any]],
    optional: dict[str, Callable[[Any], Any]] | None = None,
) -> dict[str, Any]:
    """The object's members, each through its check; unknown and missing ones are refused by name."""
    data = json_object(request)
    known = required | (optional or {})
    unknown = sorted(set(data) - set(known))
    missing = sorted(set(required) - set(data))
    if unknown or missing:
        what = f"lacks {', '.join(missing)}" if missing else f"has unknown {', '.join(unknown)[:100]}"
        raise ApiError(422, "invalid", f"The body {what}.")
    values = {}
    for name, value in data.items():
        try:
            values[name] = known[name](value)
        except ValueError as wrong:
            raise ApiError(422, "invalid", f"{name}: {wrong}") from None
    return values


def text_up_to(length: int, least: int = 1) -> Callable[[Any], str]:
    """Text in Unicode without lone surrogates or NUL."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or not least <= len(value) <= length or re.search("[\x00\ud800-\udfff]", value):
            raise ValueError(f"must be text of {least} to {length} characters.")
        return value

    return check


def quantity(value: Any) -> int:
    """A whole number from 1 to 500, the sandbox's own ceiling (R38)."""
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or not 1 <= value <= 500:
        raise ValueError("must be a whole number from 1 to 500.")
    return value
