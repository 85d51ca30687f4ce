"""Is it alive, is it ready, and the figures behind it: for load balancers and an operator's Prometheus, not for people."""

from __future__ import annotations

import hmac
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from procurement.desk.metrics import exposition
from procurement.errors import DomainError
from procurement.vault.keyring import verify_master_key
from procurement.work.queries import last_loop_seen

LOOP_SILENT_AFTER = timedelta(seconds=60)
LOOPBACK = {"127.0.0.1", "::1"}
OK = "ok"


@login_not_required
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """The process answers. Asks nothing else: a database that is away is no reason to restart a web process."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


@login_not_required
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when requests can be served, 503 and what is missing otherwise.

    A silent work loop is named but does not take the web away: people can still see what waits, and why.
    """
    checks = {"database": database_words()}
    if checks["database"] == OK:
        checks |= {"migrations": migration_words(), "master key": key_words()}
    ready = all(words == OK for words in checks.values())
    if ready:
        checks["work loop"] = loop_words()
    response = JsonResponse({"ready": ready, "checks": checks}, status=200 if ready else 503)
    response["Cache-Control"] = "no-store"
    return response


@login_not_required
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The figures, for the bearer of COUNTERSIGN_METRICS_TOKEN; without such a token only from this computer."""
    if not may_read(request):
        return HttpResponse("Not for you.\n", status=403, content_type="text/plain; charset=utf-8")
    return HttpResponse(exposition(), content_type="text/plain; version=0.0.4; charset=utf-8")


def may_read(request: HttpRequest) -> bool:
    token = settings.METRICS_TOKEN
    if not token:
        # Behind a proxy on this computer every stranger comes from it: X-Forwarded-For then says so.
        return request.META.get("REMOTE_ADDR") in LOOPBACK and "X-Forwarded-For" not in request.headers
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return hmac.compare_digest(given.encode(), token.encode())


def database_words() -> str:
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "no connection"
    return OK


class Migrations:
    """Whether all are applied; once they are they stay so for the life of the process, and looking is slow."""

    applied = False


def migration_words() -> str:
    if not Migrations.applied:
        executor = MigrationExecutor(connection)
        waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        if waiting:
            return f"{waiting} not applied: run manage.py migrate"
        Migrations.applied = True
    return OK


def key_words() -> str:
    try:
        verify_master_key()
    except DomainError as error:
        return error.sentence
    return OK


def loop_words() -> str:
    seen = last_loop_seen()
    if seen is None:
        return "never seen: start a worker and the scheduler"
    silent = timezone.now() - seen
    return (
        OK
        if silent < LOOP_SILENT_AFTER
        else f"silent for {int(silent.total_seconds())} s: look at workers and scheduler"
    )
