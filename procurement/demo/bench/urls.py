"""The project's routes and one more: a page of nothing, which shows what every request costs before any page of ours."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from procurement import urls as project
from procurement.staff.access import for_everyone

BARE = "/bare/"


@for_everyone
def bare(request: HttpRequest) -> HttpResponse:
    """Nothing, behind the same middleware and sign-in as every page."""
    return HttpResponse()


urlpatterns = [path(BARE.lstrip("/"), bare), *project.urlpatterns]
handler400, handler403 = project.handler400, project.handler403
handler404, handler500 = project.handler404, project.handler500
