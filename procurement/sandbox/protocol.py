"""A request's way through a supplier's door: key, limits, faults before, the view, faults after, the log."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from procurement.sandbox import clock, codes, engine, limits, memory, webhooks
from procurement.sandbox.faults import Armed
from procurement.sandbox.models import RequestLog, Webhook
from procurement.sandbox.replies import ApiError, Call, error_reply

PREFIXES = {"/alpha/v1/": "alpha", "/psnb2b/api/v1/": "psnb2b"}
PROXY_PAGE = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"


class SupplierApiMiddleware:
    """Runs every request below a supplier's prefix as a Call; leaves all others alone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        supplier = next((name for prefix, name in PREFIXES.items() if request.path.startswith(prefix)), None)
        if supplier is None:
            return self.get_response(request)
        call = open_call(request, supplier)
        with memory.turn:
            try:
                admit(request, call)
                response = in_json(call, self.get_response(request))
            except ApiError as error:
                response = error_reply(call, error)
            early = events_before_reply(call)
        webhooks.send(early)
        response = spoil(request, call, response)
        with memory.turn:
            close_call(call, response)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, ApiError):
            return error_reply(request.META["sandbox.call"], error)
        return None


def open_call(request: HttpRequest, supplier: str) -> Call:
    account = memory.account(supplier)
    where = "read"
    if request.method == "POST":
        where = {"orders": "order", "claims": "claim"}.get(request.path.rpartition("/")[2], "read")
    body = b"" if int(request.META.get("CONTENT_LENGTH") or 0) > 10_000 else request.body
    log = RequestLog(
        supplier=supplier,
        method=request.method or "",
        path=codes.masked(request.get_full_path())[:300],
        body=codes.masked(body.decode("utf-8", "replace"))[:2_000],
        is_order=where == "order",
        at=clock.now(),
    )
    call = Call(supplier, account, Armed(supplier), log, where)
    request.META["sandbox.call"] = call
    return call


def admit(request: HttpRequest, call: Call) -> None:
    """Check the key and the limits, note the request, and play the faults that refuse it; ApiError refuses."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    known = scheme.lower() == "bearer" and any(
        hmac.compare_digest(key.encode(), good.encode()) for good in call.account.api_keys
    )
    if known:
        call.log.key_tail = key[-4:]
        call.log.key_digest = hashlib.sha256(f"{call.supplier} {key}".encode()).hexdigest()[:16]
    if known and call.supplier == "psnb2b" and memory.world().limits_enabled:
        with transaction.atomic():  # the count and the row that the next request counts are one step
            call.standing = limits.standing(call.log.key_digest, call.log.is_order, call.log.at)
            call.log.refused_by_limit = call.standing.refused
            call.log.save()
    if not known or call.armed.take("key_revoked", where=call.where):
        raise ApiError(401, "unauthorized", "The API key is missing, unknown or revoked.")
    if call.standing.refused:
        raise ApiError(429, "rate_limited", "The limit of this key is used up.", retry_after(call.standing.wait))
    if params := call.armed.take("rate_limit_now", where=call.where):
        raise ApiError(429, "rate_limited", "The limit of this key is used up.", retry_after(params["seconds"]))
    if params := call.armed.take("error_before_accept", where=call.where):
        raise ApiError(int(params["status"]), "broken", "Out of service for a moment.")


def retry_after(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(int(seconds))}


def in_json(call: Call, response: HttpResponse) -> HttpResponse:
    """Django's own 404 and 500 pages in the supplier's error shape (R104: all responses are JSON)."""
    if response.headers.get("Content-Type") == "application/json":
        return response
    if response.status_code == 404:
        return error_reply(call, ApiError(404, "not_found", "There is nothing at this address."))
    return error_reply(call, ApiError(response.status_code, "broken", "The request could not be handled."))


def events_before_reply(call: Call) -> list[Webhook]:
    """The events of an order that runs to its end before its POST is answered, claimed before the loop can."""
    if call.order is None or call.armed.take("webhook_before_reply", product=call.order.product_key) is None:
        return []
    engine.advance(call.order.pk, to_the_end=True)
    return webhooks.claim_due(order=call.order, addressed=True)


def spoil(request: HttpRequest, call: Call, response: HttpResponse) -> HttpResponse:
    """Play the armed faults that bend the reply; what was accepted stays accepted."""
    where = "refused" if call.where == "order" and call.order is None else call.where
    product = call.order.product_key if call.order else ""

    def met(kind: str) -> dict[str, object] | None:
        return call.armed.take(kind, where=where, product=product)

    if params := met("slow_answer"):
        time.sleep(float(str(params["seconds"])))
    if params := met("answer_lost"):
        request.META["sandbox.hang_up"] = "reset" if params["reset"] else "close"
    elif params := met("error_after_accept"):
        return error_reply(call, ApiError(int(str(params["status"])), "broken", "Something broke on our side."))
    elif met("html_502"):
        return HttpResponse(PROXY_PAGE, status=502, content_type="text/html")
    elif met("empty_body"):
        return HttpResponse(b"", status=200, content_type="application/json")
    elif met("truncated_json"):
        response.content = response.content[: len(response.content) // 2]
    return response


def close_call(call: Call, response: HttpResponse) -> None:
    """Put the headers on that every reply carries, and finish the log row."""
    if call.supplier == "psnb2b":
        response["X-RateLimit-Remaining"] = str(call.standing.remaining)
        if "Retry-After" not in response:
            response["Retry-After"] = str(call.standing.wait)
    else:
        response["X-Request-Id"] = call.request_id
    response["Cache-Control"] = "no-store"
    response["Content-Length"] = str(len(response.content))
    call.log.status, call.log.faults = response.status_code, ", ".join(call.armed.met)
    call.log.save()
