"""One code, shown or copied for one person. The code is in the answer to a POST and nowhere else (R62, R63)."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_http_methods, require_POST

from procurement.errors import DomainError, Missing, NotAllowed
from procurement.orders.extras import extras_for
from procurement.orders.forms import RevealForm
from procurement.orders.grounds import grounds_for
from procurement.orders.models import Code
from procurement.orders.services.revealing import Ask, note_refusal, reveal_code, reveals_left
from procurement.staff.access import may, requires
from procurement.staff.permissions import Permission
from procurement.staff.stepping_up import fresh, stepped_up
from procurement.suppliers.throttle import sender_of
from procurement.vault import Secret
from procurement.web.http import Request, is_fragment, never_keep, safe_next
from procurement.web.once import once

View = Callable[..., HttpResponse]
NOT_FRESH = "Show first that it is still you: choose Reveal, which asks for it. The code was not copied."
# Seconds that a code stays on a page; the page of one code leaves by itself after them, without a script too.
SHOWN_FOR = 30


def get_code(pk: uuid.UUID) -> Code:
    try:
        return Code.objects.select_related("order", "account", "order__account").get(pk=pk)
    except Code.DoesNotExist:
        raise Missing("There is no such code. Nothing was opened. Search for its order.") from None


def not_kept(response: HttpResponse) -> HttpResponse:
    """No browser, proxy or back button may keep this answer, and no other site may load it."""
    patch_cache_control(response, no_store=True, private=True)
    response["Pragma"] = "no-cache"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def asked(request: Request, how: str = "shown") -> Ask:
    """What the form and the connection say."""
    return Ask(
        ground=request.POST.get("ground", "")[:60],
        why=request.POST.get("why", ""),
        words=request.POST.get("reason", "")[:2_000],
        how=how,
        address=sender_of(request),
        browser=request.headers.get("User-Agent", ""),
    )


def denials_noted(view: View) -> View:
    """Who may see no codes at all and asks for one is on record too: the service behind is never reached."""

    @functools.wraps(view)
    def noting(request: Request, pk: uuid.UUID) -> HttpResponse:
        try:
            return view(request, pk)
        except NotAllowed as refusal:
            if request.method == "POST" and not may(request.user, Permission.CODE_REVEAL):
                note_refusal(by=request.user, code=get_code(pk), ask=asked(request), sentence=refusal.sentence)
            raise

    return noting


@never_keep
@denials_noted
@requires(Permission.CODE_REVEAL)
@require_http_methods(["GET", "POST"])
@stepped_up
@once
def code_reveal(request: Request, pk: uuid.UUID) -> HttpResponse:
    """GET asks for what and why, as a page or a dialog; POST shows the code once, `back` is where Hide leads."""
    code = get_code(pk)
    if request.method != "POST":
        return ask_why(request, code)
    try:
        secret = reveal_code(by=request.user, code=code, ask=asked(request))
    except DomainError as refusal:
        # A fragment gets the sentence of a refusal beside its button; a page gets its form again.
        if is_fragment(request):
            raise
        return ask_why(request, code, refusal)
    return show_code(request, code, secret)


def ask_why(request: Request, code: Code, refusal: DomainError | None = None) -> HttpResponse:
    template = "orders/_reveal_dialog.html" if is_fragment(request) else "orders/code_reveal.html"
    grounds = grounds_for(request.user, code)
    form = RevealForm(request.POST or None, grounds=grounds)
    if refusal:
        form.add_error(None, refusal.sentence)
    context = {
        "code": code,
        "form": form,
        "grounds": grounds,
        "left": reveals_left(request.user).now,
        "case_url": extras_for(code.order, request.user).get("case_code_url", "") if not grounds else "",
        "back": request.POST.get("back", ""),
        "title": f"Reveal the code ending {code.last4}",
    }
    return not_kept(render(request, template, context, status=refusal.status if refusal else 200))


def show_code(request: Request, code: Code, secret: Secret) -> HttpResponse:
    """The code in its box for htmx, or a page with this one code; after it the person's reveals left."""
    back = request.POST.get("back", "")
    here = reverse("orders:order_detail", args=[code.order_id])
    context = {
        "code": code,
        "secret": secret.expose(),
        "hide_after": SHOWN_FOR,
        "hide_url": safe_next(request, back, "orders:order_list") if back else "",
        "note": f"You have {reveals_left(request.user).now} reveals left now.",
    }
    if is_fragment(request):
        return not_kept(render(request, "orders/_code_box.html", context))
    response = render(request, "orders/code_shown.html", context)
    response["Refresh"] = f"{SHOWN_FOR}; url={context['hide_url'] or here}"
    return not_kept(response)


@never_keep
@denials_noted
@requires(Permission.CODE_REVEAL)
@require_POST
def code_copy(request: Request, pk: uuid.UUID) -> HttpResponse:
    """The code as JSON for the clipboard alone, recorded like a reveal; a refusal is a sentence in JSON."""
    code = get_code(pk)
    if not fresh(request):
        return not_kept(JsonResponse({"sentence": NOT_FRESH}, status=403))
    try:
        secret = reveal_code(by=request.user, code=code, ask=asked(request, "copied"))
    except DomainError as refusal:
        return not_kept(JsonResponse({"sentence": refusal.sentence}, status=refusal.status))
    return not_kept(JsonResponse({"code": secret.expose()}))
