"""The address suppliers send webhooks to. Every refusal looks the same, so that it tells a stranger nothing."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.receiving import LARGEST, receive, refuse_unread
from procurement.suppliers.states import BAD_SIGNATURE, TOO_OLD

REFUSED_STATUS = {BAD_SIGNATURE: 401, TOO_OLD: 401}


def answer(status: int) -> JsonResponse:
    response = JsonResponse({"taken": status == 200}, status=status)
    response["Cache-Control"] = "no-store"
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
    """Take one webhook message; nothing but keeping it happens before the answer (R46-R51)."""
    if request.method != "POST":
        return answer(405)
    account = SupplierAccount.objects.filter(hook_slug=slug).first()
    if account is None:
        return answer(404)
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
