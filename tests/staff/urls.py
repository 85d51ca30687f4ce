"""Small views behind a step-up, beside the desk's own addresses."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from procurement.staff.access import requires
from procurement.staff.permissions import Permission
from procurement.staff.stepping_up import stepped_up
from procurement.web.http import never_keep

DONE: list[str] = []


@requires(Permission.CODE_REVEAL)
@stepped_up
def guarded(request: HttpRequest) -> HttpResponse:
    DONE.append(request.POST.get("reason", request.method or ""))
    return HttpResponse("done")


@requires(Permission.CODE_REVEAL)
@never_keep
@stepped_up
def with_a_code(request: HttpRequest) -> HttpResponse:
    return guarded(request)


urlpatterns = [
    path("guarded/", guarded),
    path("with-a-code/", with_a_code),
    path("", include("procurement.urls")),
]
handler400 = "procurement.web.views.bad_request"
handler403 = "procurement.web.views.permission_denied"
handler404 = "procurement.web.views.not_found"
handler500 = "procurement.web.views.server_error"
