"""The exchange log, and what every answer tells about limits, health and the key (R27, R41, R43, R25)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from django.db.models import F, Q
from django.utils import timezone

from procurement.audit.services import record
from procurement.errors import DomainError
from procurement.states import transition
from procurement.suppliers.clients.http import Call, Reply
from procurement.suppliers.clients.redaction import readable
from procurement.suppliers.clients.types import Subject
from procurement.suppliers.models import Exchange, SupplierAccount
from procurement.suppliers.states import ACCOUNT, DOWN, KEY_REFUSED, LIVE
from procurement.vault import Secret

SHORTEST_WAIT, LONGEST_WAIT, USUAL_WAIT = 1, 15 * 60, 30
FAILURES_UNTIL_DOWN = 5


def wait_seconds(header: str, now: datetime) -> float | None:
    """Retry-After as seconds, from a number or an HTTP date; None when it says neither."""
    if header.strip().isdigit() and len(header.strip()) < 10:
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()


def retry_at(headers: Mapping[str, str], now: datetime) -> datetime:
    """When to try again after 429 or 503: not before Retry-After, within 1 s .. 15 min, up to 20 % later (R43)."""
    asked = wait_seconds(headers.get("retry-after", ""), now)
    seconds = min(max(USUAL_WAIT if asked is None else asked, SHORTEST_WAIT), LONGEST_WAIT)
    return now + timedelta(seconds=seconds * (1 + secrets.randbelow(200) / 1000))


def remaining_calls(headers: Mapping[str, str]) -> int | None:
    text = headers.get("x-ratelimit-remaining", "").strip()
    return min(int(text), 1_000_000) if text.isdigit() and len(text) < 10 else None


def begin(account: SupplierAccount, call: Call, reply_id: Any, subject: Subject, key: Secret) -> Exchange:
    """The row of a call about to be made, so that a process that dies in it leaves a trace."""
    return Exchange.objects.create(
        account=account,
        request_id=reply_id,
        purpose=call.purpose,
        method=call.method,
        path=(
            call.path + ("?" + "&".join(f"{name}={value}" for name, value in call.query.items()) if call.query else "")
        )[:300],
        subject_kind=subject[0],
        subject_id=subject[1],
        started_at=timezone.now(),
        request_body=readable(call.body, hide=(key.expose(),), codes_inside=call.codes_inside),
    )


def response_id_of(reply: Reply) -> str:
    """The supplier's own id of its answer, from the header or the body (R27)."""
    found = reply.headers.get("x-request-id", "")
    if not found and isinstance(reply.data, dict):
        error = reply.data.get("error")
        places = [reply.data, error if isinstance(error, dict) else {}]
        found = next(
            (str(place[name]) for place in places for name in ("request_id", "requestId", "trace") if place.get(name)),
            "",
        )
    return found[:100]


def finish(row: Exchange, call: Call, reply: Reply, *, outcome: str, duration_ms: int, key: Secret) -> None:
    """Complete the row with the answer."""
    Exchange.objects.filter(pk=row.pk).update(
        response_id=response_id_of(reply),
        duration_ms=duration_ms,
        sent=reply.sent,
        status=reply.status,
        remaining_calls=remaining_calls(reply.headers),
        retry_after=reply.headers.get("retry-after", "")[:60],
        outcome=outcome,
        error_class=reply.error[:60],
        response_body=readable(reply.raw, hide=(key.expose(),), codes_inside=call.codes_inside),
    )


def note_limits(account: SupplierAccount, reply: Reply) -> datetime | None:
    """Stop all workers until the supplier's time after 429, 503 or the last call left; None to go on (R42)."""
    now = timezone.now()
    no_calls_left = (
        remaining_calls(reply.headers) == 0 and (wait_seconds(reply.headers.get("retry-after", ""), now) or 0) > 0
    )
    if reply.status not in {429, 503} and not no_calls_left:
        return None
    if reply.status == 503 and "retry-after" not in reply.headers:
        return None
    until = retry_at(reply.headers, now)
    earlier = Q(blocked_until__isnull=True) | Q(blocked_until__lt=until)
    rows = SupplierAccount.objects.filter(pk=account.pk)
    was_free = rows.filter(Q(blocked_until__isnull=True) | Q(blocked_until__lte=now)).exists()
    if rows.filter(earlier).update(blocked_until=until) and was_free:
        record("account.blocked", by=None, subject=account, source="supplier", until=f"{until:%Y-%m-%d %H:%M:%S} UTC")
    return until


def note_health(account: SupplierAccount, reply: Reply) -> None:
    """Count failures in a row; a refused key or five failures take the account out of use for orders (R25)."""
    rows = SupplierAccount.objects.filter(pk=account.pk)
    if reply.status in {401, 403}:
        _move(account, KEY_REFUSED, "The supplier answered that it does not accept the key.")
    elif reply.status is None or reply.status >= 500 or reply.status == 429 or not reply.is_json:
        rows.update(failures_in_row=F("failures_in_row") + 1)
        if rows.filter(failures_in_row__gte=FAILURES_UNTIL_DOWN).exists():
            _move(account, DOWN, f"{FAILURES_UNTIL_DOWN} calls in a row failed; orders wait, nothing is sent.")
    else:
        rows.filter(failures_in_row__gt=0).update(failures_in_row=0)


def note_answering(account: SupplierAccount) -> None:
    """A balance reading succeeded: an account that was down is live again. A refused key needs a person."""
    if SupplierAccount.objects.filter(pk=account.pk, state=DOWN).exists():
        _move(account, LIVE, "The balance could be read again.")


def _move(account: SupplierAccount, to: str, reason: str) -> None:
    """Move the account as the system; a state that does not allow it, or a person who was faster, stays."""
    fresh = SupplierAccount.objects.get(pk=account.pk)
    if any((move.source, move.target) == (fresh.state, to) for move in ACCOUNT.moves):
        try:
            transition(fresh, to, by=None, machine=ACCOUNT, reason=reason, source="supplier")
        except DomainError:
            return
        account.state, account.version = fresh.state, fresh.version
