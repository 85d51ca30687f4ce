"""The address suppliers send webhooks to. Every refusal looks the same, so that it tells a stranger nothing."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.receiving import LARGEST, note_turned_away, receive, refuse_unread
from procurement.suppliers.states import BAD_SIGNATURE, TOO_OLD
from procurement.suppliers.throttle import may_come

REFUSED_STATUS = {BAD_SIGNATURE: 401, TOO_OLD: 401}


def answer(status: int) -> JsonResponse:
    response = JsonResponse({"taken": status == 200}, status=status)
    response["Cache-Control"] = "no-store"
    # Django would write a line with the whole address for each refusal: a stranger could fill the log, and the address
    # is half a secret. What was refused stands in the webhook log and its counters.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def refused_unread(request: HttpRequest) -> tuple[int, str, int] | None:
    """Status, reason and stated size of a message that is not even read; None = read it."""
    length = request.META.get("CONTENT_LENGTH") or ""
    if not (length.isascii() and length.isdigit() and len(length) < 16):
        return 411, "No length was stated", 0
    if int(length) > LARGEST:
        return 413, "Larger than 256 KiB", int(length)
    if request.content_type != "application/json":
        return 415, "Not of the type application/json", int(length)
    return None


@csrf_exempt
@login_not_required
def hook(request: HttpRequest, slug: str) -> JsonResponse:
    """Take one webhook message; nothing but keeping it happens before the answer (R46-R51).

    The order is: address, rate, size and type, signature over the bytes as they came, time, content, one row. Whatever
    is refused at an address gets the same body and costs the same: one HMAC for each secret and one row or counter.
    """
    if request.method != "POST":
        return answer(405)
    if settings.SECURE_SSL_REDIRECT and not request.is_secure():
        return answer(403)
    account = SupplierAccount.objects.filter(hook_slug=slug).first()
    free = may_come(request, account.pk if account else None)
    note_turned_away()
    if account is None or not free:
        return answer(404 if free else 429)
    refusal = refused_unread(request)
    if refusal:
        status, why, size = refusal
        refuse_unread(account, why, size)
        return answer(status)
    try:
        raw = request.body
    except UnreadablePostError:
        return answer(400)
    return answer(REFUSED_STATUS.get(receive(account, raw, request.headers), 200))


hook.takes_bytes = True  # type: ignore[attr-defined]
