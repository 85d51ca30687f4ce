"""The audit event that every export of the catalogue leaves."""

from __future__ import annotations

from collections.abc import Callable

from procurement.audit.services import record
from procurement.web.http import Request


def exporter(request: Request, what: str) -> Callable[[str, int], None]:
    """A function for `list_page` that records an export of `what` before its first row leaves."""

    def on_export(filters: str, count: int) -> None:
        record("export.made", by=request.user, subject=request.user, what=f"{what} ({filters})", rows=count)

    return on_export
