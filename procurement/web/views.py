"""Pages of the shell itself: refusals and error pages, the resumed form, preferences."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from procurement.staff.access import for_everyone
from procurement.web import gallery as specimens
from procurement.web import resume
from procurement.web.http import is_fragment, safe_next
from procurement.web.preferences import CHOICES, COOKIE_AGE_SECONDS, cookie_of
from procurement.web.request_id import current_request_id

HEADINGS = {
    400: "This request could not be read",
    403: "Not allowed",
    404: "Nothing here",
    409: "It changed in the meantime",
    413: "Too large",
    422: "This was not done",
    429: "Too many at once",
    503: "A part does not answer",
}


def refusal(request: HttpRequest, sentence: str, status: int) -> HttpResponse:
    """The sentence as a full page, or as a fragment that the page's script puts beside the control."""
    context = {"sentence": sentence, "heading": HEADINGS.get(status, HEADINGS[422]), "status": status}
    if is_fragment(request):
        response = render(request, "ui/notice.html", {"tone": "bad", "text": sentence}, status=status)
        response["X-Refusal"] = "1"
        return response
    return render(request, "errors/refusal.html", context, status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return refusal(
        request, "The browser sent something this page cannot read. Nothing was changed. Go back and try again.", 400
    )


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    sentence = (
        str(exception) if exception and str(exception) else "Your role does not include this. Nothing was changed."
    )
    return refusal(request, sentence, 403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return refusal(
        request,
        "There is no page at this address, or it is not yours to see. Search for it at the top of the page.",
        404,
    )


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return refusal(
        request,
        "This form is older than your sign-in, so it was not accepted. Nothing was changed. "
        "Reload the page and send it again.",
        403,
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """A page that needs neither the database nor the session, so that it shows even when they are the fault."""
    html = render_to_string("errors/500.html", {"request_id": current_request_id()})
    return HttpResponse(html, status=500)


@for_everyone
@require_http_methods(["GET", "POST"])
def resume_form(request: HttpRequest) -> HttpResponse:
    """Offer the form that was sent after the session ended; POST discards it."""
    form = resume.kept(request)
    if request.method == "POST" or form is None:
        resume.discard(request)
        return HttpResponseRedirect(safe_next(request, "", settings.LOGIN_REDIRECT_URL))
    return render(request, "ui/resume.html", {"kept": form})


@for_everyone
@require_POST
def stay_signed_in(request: HttpRequest) -> HttpResponse:
    """Move the end of this session, as every request does that a person makes; the page's warning calls it."""
    return HttpResponse(status=204)


@login_not_required
@for_everyone
@require_POST
def preferences(request: HttpRequest) -> HttpResponse:
    """Keep theme, zone, density and shortcuts in cookies; unknown names and values are ignored."""
    response = HttpResponseRedirect(safe_next(request, request.POST.get("next", ""), settings.LOGIN_REDIRECT_URL))
    for name, allowed in CHOICES.items():
        value = request.POST.get(name, "")
        if value in allowed:
            secure = settings.SESSION_COOKIE_SECURE
            response.set_cookie(cookie_of(name), value, max_age=COOKIE_AGE_SECONDS, samesite="Lax", secure=secure)
    return response


@login_not_required
@for_everyone
@require_safe
def gallery(request: HttpRequest) -> HttpResponse:
    """Every part of the design system on one page; absent in a live installation."""
    if not (settings.DEBUG or settings.ENVIRONMENT == "sandbox"):
        raise Http404
    context: dict[str, Any] = specimens.context(request)
    return render(request, "gallery.html", context)
