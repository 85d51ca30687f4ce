"""One code, shown or copied for one person. The code is in the answer to a POST and nowhere else (R62, R63)."""

from __future__ import annotations

import uuid

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_http_methods, require_POST

from procurement.errors import DomainError, Missing
from procurement.orders.forms import ReasonForm
from procurement.orders.models import Code
from procurement.orders.services.revealing import reveal_code, reveals_left
from procurement.staff.access import requires
from procurement.staff.permissions import Permission
from procurement.vault import Secret
from procurement.web.http import Request, is_fragment, never_keep, safe_next


def get_code(pk: uuid.UUID) -> Code:
    try:
        return Code.objects.select_related("order", "account", "order__account").get(pk=pk)
    except Code.DoesNotExist:
        raise Missing("There is no such code. Nothing was opened. Search for its order.") from None


def not_kept(response: HttpResponse) -> HttpResponse:
    """No browser, proxy or back button may keep this answer."""
    patch_cache_control(response, no_store=True, private=True)
    return response


@never_keep
@requires(Permission.CODE_REVEAL)
@require_http_methods(["GET", "POST"])
def code_reveal(request: Request, pk: uuid.UUID) -> HttpResponse:
    """GET asks for the reason, as a page or a dialog; POST with `reason` shows the code, `back` is where Hide leads."""
    code = get_code(pk)
    form = ReasonForm(request.POST or None)
    # A fragment gets the sentence of a refusal beside its button; a page gets its form again.
    if request.method == "POST" and (is_fragment(request) or form.is_valid()):
        try:
            secret = reveal_code(by=request.user, code=code, reason=request.POST.get("reason", ""))
        except DomainError as refusal:
            if is_fragment(request):
                raise
            form.add_error(None, refusal.sentence)
        else:
            return show_code(request, code, secret)
    return ask_reason(request, code, form)


def ask_reason(request: Request, code: Code, form: ReasonForm) -> HttpResponse:
    template = "orders/_reveal_dialog.html" if is_fragment(request) else "orders/code_reveal.html"
    context = {
        "code": code,
        "form": form,
        "left": reveals_left(request.user),
        "back": request.POST.get("back", ""),
        "title": f"Reveal the code ending {code.last4}",
    }
    return not_kept(render(request, template, context, status=422 if form.is_bound else 200))


def show_code(request: Request, code: Code, secret: Secret) -> HttpResponse:
    """The code in its box for htmx, or a page with this one code; after it the person's reveals left."""
    back = request.POST.get("back", "")
    left = reveals_left(request.user)
    context = {
        "code": code,
        "secret": secret.expose(),
        "hide_url": safe_next(request, back, "orders:order_list") if back else "",
        "note": f"You have {left} reveals left in this hour.",
    }
    return not_kept(
        render(request, "orders/_code_box.html" if is_fragment(request) else "orders/code_shown.html", context)
    )


@never_keep
@requires(Permission.CODE_REVEAL)
@require_POST
def code_copy(request: Request, pk: uuid.UUID) -> HttpResponse:
    """The code as JSON for the clipboard alone, audited like a reveal; a refusal is a sentence in JSON."""
    code = get_code(pk)
    try:
        secret = reveal_code(by=request.user, code=code, reason=request.POST.get("reason", ""), copied=True)
    except DomainError as refusal:
        return not_kept(JsonResponse({"sentence": refusal.sentence}, status=refusal.status))
    return not_kept(JsonResponse({"code": secret.expose()}))
