"""`manage.py sandbox_flow`: the whole job once against a sandbox account, step by step with its evidence (R106)."""

from __future__ import annotations

import threading
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.core.wsgi import get_wsgi_application

from procurement.reconciliation.onboarding import PATIENCE_SECONDS, StepFailed, run_flow
from procurement.suppliers.models import SupplierAccount


class Command(BaseCommand):
    help = "Map, order one code, receive its webhook, store it and reconcile, at one supplier account of the sandbox."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--supplier", metavar="CODE", help="a supplier account's code; without it every sandbox account"
        )
        parser.add_argument("--patience", type=float, default=PATIENCE_SECONDS, help="seconds to wait for each step")

    def handle(self, *args: Any, **options: Any) -> None:
        accounts = list(self.accounts(options["supplier"]))
        with listening():
            for account in accounts:
                self.stdout.write(f"{account} ({account.code}, {account.environment})")
                try:
                    for name, evidence in run_flow(account, options["patience"]):
                        self.stdout.write(f"  ok    {name}: {evidence}")
                except StepFailed as failure:
                    raise CommandError(f"{account.code}: failed at {failure}") from None
        self.stdout.write("Every step held.")

    def accounts(self, code: str | None) -> Iterator[SupplierAccount]:
        """The accounts meant; never a live one, since this spends money."""
        rows = SupplierAccount.objects.order_by("code")
        found = list(rows.filter(code=code) if code else rows.filter(environment="sandbox"))
        if not found:
            raise CommandError(
                f"There is no supplier account {code!r}. Nothing was ordered."
                if code
                else "No sandbox account is connected. Run the demo first, or connect one."
            )
        for account in found:
            if account.environment != "sandbox":
                raise CommandError(f"{account} is a live account and this would spend money. Nothing was ordered.")
            yield account


class QuietHandler(WSGIRequestHandler):
    """Answers without printing a line for each request."""

    def log_message(self, format: str, *args: Any) -> None:
        return


def listening() -> AbstractContextManager[None]:
    """The desk answers webhooks already, or this command answers them while it runs."""
    try:
        httpx.get(f"{settings.SITE_URL}/sign-in/", timeout=3, trust_env=False)
    except httpx.HTTPError:
        return own_desk()
    return nullcontext()


@contextmanager
def own_desk() -> Iterator[None]:
    """Serve the desk at SITE_URL in a thread, for the webhooks."""
    place = urlsplit(settings.SITE_URL)
    if place.hostname not in {"127.0.0.1", "localhost"}:
        raise CommandError(
            f"{settings.SITE_URL} does not answer, so no webhook can arrive. Start the web server first."
        )
    server = make_server(place.hostname, place.port or 80, get_wsgi_application(), handler_class=QuietHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
