"""The exchange log, and what every answer tells about limits, health and the key (R27, R41, R43, R25)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from django.db.models import Count, F, Q
from django.utils import timezone

from procurement.audit.services import record
from procurement.errors import DomainError
from procurement.faultpoints import faultpoint
from procurement.states import transition
from procurement.suppliers import shared_clock
from procurement.suppliers.clients.http import Call, Reply
from procurement.suppliers.clients.redaction import readable
from procurement.suppliers.clients.types import Subject
from procurement.suppliers.models import Exchange, SupplierAccount
from procurement.suppliers.states import ACCOUNT, DOWN, KEY_REFUSED, LIVE
from procurement.vault import Secret

SHORTEST_WAIT, LONGEST_WAIT, USUAL_WAIT = 1, 15 * 60, 30
# The breaker: so many failures in a row, or half of the calls of a minute when these are enough to tell.
FAILURES_UNTIL_DOWN = 5
CALLS_TO_TELL, FAILED_PART, TOLD_OVER = 10, 0.5, timedelta(seconds=60)
PROBE_FIRST, PROBE_FACTOR, PROBE_LONGEST = timedelta(seconds=15), 2, timedelta(minutes=15)
MOST_REPEATS, REPEATS_ALWAYS, REPEATS_COUNTED_OVER = 0.2, 10, timedelta(minutes=5)


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
    faultpoint(f"exchange.{call.purpose}.before")
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
        repeated=call.method == "POST" and is_repetition(account, call.purpose, subject),
        started_at=timezone.now(),
        request_body=readable(call.body, hide=(key.expose(),), codes_inside=call.codes_inside),
    )


def is_repetition(account: SupplierAccount, purpose: str, subject: Subject) -> bool:
    """Whether the same thing was asked for before."""
    asked = Exchange.objects.filter(subject_kind=subject[0], subject_id=subject[1], account=account, purpose=purpose)
    return bool(subject[1]) and asked.exists()


def too_many_repeats(account: SupplierAccount, purpose: str, subject: Subject) -> bool:
    """Whether one more repetition would be over a fifth of the calls of five minutes; a few are always allowed."""
    if not is_repetition(account, purpose, subject):
        return False
    lately = Exchange.objects.filter(account=account, started_at__gte=timezone.now() - REPEATS_COUNTED_OVER)
    seen = lately.aggregate(calls=Count("pk"), repeats=Count("pk", filter=Q(repeated=True)))
    return bool(seen["repeats"] >= max(REPEATS_ALWAYS, MOST_REPEATS * (seen["calls"] + 1)))


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
    faultpoint(f"exchange.{call.purpose}.answered")
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
    now = shared_clock.now()
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
        why = down_because(account)
        if why:
            open_breaker(account, f"{why} Orders wait, nothing is sent.")
    else:
        rows.filter(failures_in_row__gt=0).update(failures_in_row=0)


def is_failure() -> Q:
    """Exchanges that say the supplier is not well: no answer, 5xx, 429, or nothing readable; not those under way."""
    failed = Q(status__isnull=True) | Q(status__gte=500) | Q(status=429) | Q(outcome__in=["unreadable", "unknown"])
    return failed & ~Q(outcome="under way")


def down_because(account: SupplierAccount) -> str:
    """The sentence of why the breaker opens; empty while it need not."""
    if SupplierAccount.objects.filter(pk=account.pk, failures_in_row__gte=FAILURES_UNTIL_DOWN).exists():
        return f"{FAILURES_UNTIL_DOWN} calls in a row failed."
    lately = Exchange.objects.filter(account=account, started_at__gte=timezone.now() - TOLD_OVER)
    seen = lately.exclude(outcome="under way").aggregate(calls=Count("pk"), failed=Count("pk", filter=is_failure()))
    if seen["calls"] < CALLS_TO_TELL or seen["failed"] < FAILED_PART * seen["calls"]:
        return ""
    return f"{seen['failed']} of the {seen['calls']} calls of the last minute failed."


def probe_pause(probes: int) -> timedelta:
    """15, 30, 60 s ... and never more than 15 minutes until a supplier that is down is asked for the balance again."""
    return min(PROBE_FIRST * PROBE_FACTOR ** min(probes, 10), PROBE_LONGEST)


def open_breaker(account: SupplierAccount, reason: str) -> None:
    """Take a live account out of use for orders, and fix when the first balance reading tries whether it is back."""
    SupplierAccount.objects.filter(pk=account.pk, state=LIVE).update(probes=0, probe_at=timezone.now() + probe_pause(0))
    _move(account, DOWN, reason)


def note_probe_failed(account: SupplierAccount) -> datetime | None:
    """The supplier is still down: when to try next, a longer pause each time; None when it is not down (any more)."""
    row = SupplierAccount.objects.filter(pk=account.pk, state=DOWN).values("probes").first()
    if row is None:
        return None
    probes = row["probes"] + 1
    probe_at = timezone.now() + probe_pause(probes)
    SupplierAccount.objects.filter(pk=account.pk, state=DOWN).update(probes=probes, probe_at=probe_at)
    return probe_at


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
