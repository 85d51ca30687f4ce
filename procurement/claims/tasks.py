"""Claims that surely did not arrive are sent again until they do, or until the window closes."""

from __future__ import annotations

from datetime import datetime

from procurement.claims.models import Claim
from procurement.claims.services.filing import API, SEND, send_claim
from procurement.work.registry import CLAIMS, handler


def account_of(ref: str) -> str:
    """The account a claim goes to."""
    return str(Claim.objects.values_list("code__order__account", flat=True).filter(pk=ref).first() or "")


@handler(SEND, rank=CLAIMS, account=account_of)
def send_claim_task(ref: str) -> datetime | None:
    """Send one drafted claim; done when it is no draft any more or was taken out of the queue."""
    claim = Claim.objects.select_related("account", "code__order__account", "case").filter(pk=ref).first()
    if claim is None or claim.state != "draft" or claim.method != API:
        return None
    return send_claim(claim, by=None)
