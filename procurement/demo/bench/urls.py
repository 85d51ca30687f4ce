"""The project's routes and two more: a page of nothing and an intake of nothing, to see what every request costs."""

from __future__ import annotations

import uuid

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from procurement import urls as project
from procurement.staff.access import for_everyone
from procurement.work.models import DueWork

BARE, BARE_INTAKE = "/bare/", "/bare-intake/"


@for_everyone
def bare(request: HttpRequest) -> HttpResponse:
    """Nothing, behind the same middleware and sign-in as every page."""
    return HttpResponse()


@csrf_exempt
@login_not_required
def bare_intake(request: HttpRequest) -> HttpResponse:
    """Read the body and insert one row: what taking a message costs before it is checked, sealed and kept once."""
    DueWork.objects.create(kind="bench.bare", ref=f"{len(request.body)}-{uuid.uuid4()}", due_at=timezone.now())
    return HttpResponse()


bare_intake.takes_bytes = True  # type: ignore[attr-defined]

urlpatterns = [
    path(BARE.lstrip("/"), bare),
    path(BARE_INTAKE.lstrip("/"), bare_intake),
    *project.urlpatterns,
]
handler400, handler403 = project.handler400, project.handler403
handler404, handler500 = project.handler404, project.handler500
