"""Small views that raise, answer and save, for tests of the shell alone."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path

from procurement.errors import Missing, NotAllowed, Refused, StaleState, Unavailable
from procurement.staff.models import User
from procurement.web.http import never_keep, render_page, see_other
from procurement.web.once import once

ERRORS = {error.__name__: error for error in (Missing, NotAllowed, Refused, StaleState, Unavailable)}


def overview(request: HttpRequest) -> HttpResponse:
    return render_page(request, "base.html", "ui/notice.html", {"text": "a fragment"})


def raising(request: HttpRequest, name: str) -> HttpResponse:
    raise ERRORS[name]("The price rose. Nothing was approved.")


def crashing(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError("secret-value")


def save(request: HttpRequest) -> HttpResponse:
    """Saves the note as the person's name; an empty note is shown again."""
    note = request.POST.get("note", "")
    if not note:
        return render(request, "ui/notice.html", {"text": "Write a note."}, status=422)
    if note == "crash":
        raise Refused("The note was not saved.")
    User.objects.filter(pk=request.user.pk).update(display_name=note)
    User.objects.create(username=f"{note}-{User.objects.count()}", display_name=note)
    return see_other(request, f"/saved/{note}/")


@never_keep
def save_key(request: HttpRequest) -> HttpResponse:
    return save(request)


@login_not_required
def public(request: HttpRequest) -> HttpResponse:
    return HttpResponse("public")


urlpatterns = [
    path("", overview, name="overview"),
    path("", include("procurement.web.urls")),
    path("login/", LoginView.as_view(), name="login"),
    path("raise/<str:name>/", raising),
    path("crash/", crashing),
    path("save/", save),
    path("save-once/", once(save)),
    path("keys/", save_key),
    path("saved/<str:note>/", overview),
    path("public/", public),
    path("orders/", include(([path("", overview, name="order_list"), path("<int:pk>/", overview)], "orders"))),
    path("ledger/", include(([path("", overview, name="ledger")], "bookkeeping"))),
]

handler400 = "procurement.web.views.bad_request"
handler403 = "procurement.web.views.permission_denied"
handler404 = "procurement.web.views.not_found"
handler500 = "procurement.web.views.server_error"
