"""Whether orders go to an account, and if not why, since when, and what ends it: in words, for pages (R25, R41)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from procurement.audit.queries import events_about
from procurement.suppliers.clients.recording import FAILURES_UNTIL_DOWN
from procurement.suppliers.models import ENVIRONMENTS, SupplierAccount
from procurement.suppliers.states import ACCOUNT, DOWN, LIVE, PAUSED


@dataclass(frozen=True)
class Standing:
    """An account's state and that of its breaker; `title` is short enough for a badge."""

    tone: str
    title: str
    text: str
    since: datetime | None = None
    # When the supplier is asked next, or may be; None where a person has to act, or nobody.
    next_at: datetime | None = None


def standing_of(account: SupplierAccount) -> Standing:
    """The worst that is known of the account; one query more for one that is out of use."""
    if account.environment != settings.ENVIRONMENT:
        here = dict(ENVIRONMENTS)[settings.ENVIRONMENT].lower()
        return Standing("neutral", "Not used here", f"This is a {here} installation: nothing is sent to the account.")
    if account.state != LIVE:
        return _out_of_use(account)
    if not account.has_key:
        return Standing("attention", "No API key", "Nothing is sent until an administrator sets it.")
    if account.blocked_until and account.blocked_until > timezone.now():
        return Standing("hold", "Asked to wait", "The supplier wants no call now.", next_at=account.blocked_until)
    if account.failures_in_row:
        calls = "1 call" if account.failures_in_row == 1 else f"{account.failures_in_row} calls"
        text = f"At {FAILURES_UNTIL_DOWN} in a row orders wait until a balance reading succeeds."
        return Standing("attention", f"{calls} failed in a row", text)
    return Standing("good", account.status.label, "Orders are sent.")


def _out_of_use(account: SupplierAccount) -> Standing:
    """Why an account that is not live is not, from the record of the move that made it so."""
    moves = {move.event for move in ACCOUNT.moves if move.target == account.state}
    event = events_about([account]).filter(action__in=moves).order_by("-pk").first()
    since, why, by = (event.at, event.reason, event.actor_name) if event else (None, "", "")
    tone, title = account.status.tone, account.status.label
    if account.state == PAUSED:
        text = f"{by}: “{account.paused_reason or why}” No order is sent until somebody resumes it."
        return Standing("attention", title, text, since)
    if account.state == DOWN:
        return Standing(tone, title, f"{why} The next balance reading that succeeds ends it.", since, account.probe_at)
    held = " A tested key is held and can be used now." if account.next_key_from else ""
    return Standing(tone, title, f"The supplier refuses our key. No order is sent until a new one is set.{held}", since)
