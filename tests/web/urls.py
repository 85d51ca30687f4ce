"""Small views that raise, answer and save, for tests of the shell alone."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import include, path

from procurement.errors import Missing, NotAllowed, Refused, StaleState, Unavailable
from procurement.staff.models import User
from procurement.web.http import never_keep, render_page, see_other
from procurement.web.lists import Filter, ListSpec, list_page
from procurement.web.once import once

ERRORS = {error.__name__: error for error in (Missing, NotAllowed, Refused, StaleState, Unavailable)}


def overview(request: HttpRequest, **found: object) -> HttpResponse:
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
    User.objects.filter(username=request.user.get_username()).update(display_name=note)
    User.objects.create(username=f"{note}-{User.objects.count()}", display_name=note)
    return see_other(request, f"/saved/{note}/")


@never_keep
def save_key(request: HttpRequest) -> HttpResponse:
    return save(request)


@login_not_required
def public(request: HttpRequest) -> HttpResponse:
    return HttpResponse("public")


CODE = "A0BC-DEFG-ZZ42"


def code_page(request: HttpRequest) -> HttpResponse:
    return render(request, "web_tests/code.html", CODE_BOX)


CODE_BOX = {"id": "code-7", "last4": "ZZ42", "reveal_url": "/code/reveal/", "copy_url": "/code/copy/"}


def code_reveal(request: HttpRequest) -> HttpResponse:
    shown = {**CODE_BOX, "code": CODE, "hide_after": request.POST.get("seconds", 2), "hide_url": "/code/"}
    return render(request, "ui/code_shown.html", shown)


def code_copy(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"code": CODE})


def people(request: HttpRequest) -> HttpResponseBase:
    return list_page(request, PEOPLE, User.objects.all(), "web_tests/people.html")


PEOPLE: ListSpec[User] = ListSpec(
    noun="person",
    nouns="people",
    sorts={"name": ["username"]},
    default_sort="name",
    filters=[
        Filter("q", "Search", lambda rows, text: rows.filter(username__icontains=text), kind="text"),
        Filter(
            "active",
            "Active",
            lambda rows, v: rows.filter(is_active=v == "yes"),
            choices=[("yes", "Yes"), ("no", "No")],
        ),
    ],
)


def forms_page(request: HttpRequest) -> HttpResponse:
    return render(request, "web_tests/forms.html")


def failing(request: HttpRequest) -> HttpResponse:
    return HttpResponse("<h1>Internal</h1>", status=500)


def dialog(request: HttpRequest) -> HttpResponse:
    return render(request, "ui/dialog.html", {"title": "Pause account", "consequence": "No order is sent."})


urlpatterns = [
    path("code/", code_page),
    path("code/reveal/", code_reveal),
    path("code/copy/", code_copy),
    path("people/", people),
    path("forms/", forms_page),
    path("fail/", failing),
    path("dialog/", dialog),
    path("search/", overview, name="search"),
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
