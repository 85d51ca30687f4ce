"""A contract probe as due work, so that a page can start it and a worker that dies loses nothing."""

from __future__ import annotations

from datetime import datetime

from procurement.onboarding.models import ProbeRun
from procurement.onboarding.services import WORK_KIND, take_on
from procurement.work.registry import USUAL, handler


def account_of(ref: str) -> str:
    """The account a run calls."""
    return str(ProbeRun.objects.values_list("account", flat=True).filter(pk=ref).first() or "")


@handler(WORK_KIND, rank=USUAL, account=account_of)
def take_on_probe_task(ref: str) -> datetime | None:
    run = ProbeRun.objects.select_related("account", "mapping__product", "mapping__sku").get(pk=ref)
    return take_on(run) if run.is_running else None
