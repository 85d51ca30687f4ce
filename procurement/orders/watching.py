"""Unusual reveals: each pattern is a query over what is on record. One that fits is an alert that another person looks at.

A pattern is judged for every reveal soon after it was committed, by the worker that its row makes due; a sweep of each
minute finds those whose work was lost.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, Q, QuerySet
from django.utils import timezone

from procurement.audit.services import record
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.orders.custody import SEEN, Reveal, RevealAlert
from procurement.orders.models import Code, Order
from procurement.staff.access import check_can
from procurement.staff.models import RoleGrant, User
from procurement.staff.permissions import Permission
from procurement.staff.roles import roles_with

log = logging.getLogger(__name__)

WATCH = "reveal.watch"
LOST = timedelta(seconds=30)


@dataclass(frozen=True)
class Pattern:
    """`says` goes on after the person's name. A reveal fits when `rows(reveal)` has `at_least` rows."""

    says: str
    rows: Callable[[Reveal], QuerySet[Any]]
    at_least: int = 1
    of_refusals: bool = False


def itself(reveal: Reveal) -> QuerySet[Reveal]:
    return Reveal.objects.filter(pk=reveal.pk)


def granted(reveal: Reveal, **within: float) -> QuerySet[Reveal]:
    """What the same person got up to this reveal, itself included; all of it, or within a time."""
    mine = Reveal.objects.filter(person=reveal.person_id, outcome__in=SEEN, at__lte=reveal.at)
    return mine.filter(at__gt=reveal.at - timedelta(**within)) if within else mine


def outside_hours(reveal: Reveal) -> QuerySet[Reveal]:
    first, last = settings.WORKING_HOURS
    return itself(reveal).exclude(at__hour__gte=first, at__hour__lt=last)


def from_elsewhere(reveal: Reveal) -> QuerySet[Reveal]:
    """An address or a browser this person never revealed from; their first reveal has nothing to differ from."""
    before = granted(reveal).exclude(pk=reveal.pk)
    known = Exists(before.filter(address=reveal.address)) & Exists(before.filter(browser=reveal.browser))
    return itself(reveal).filter(Exists(before)).exclude(known)


def neighbours_before(reveal: Reveal) -> QuerySet[Any]:
    """The two codes before this one in the same order, seen by the same person before it: reading down the list."""
    place = Code.objects.values_list("order", "position").get(pk=reveal.code_id)
    above = granted(reveal, days=1).filter(code__order=place[0], code__position__in=(place[1] - 1, place[1] - 2))
    return above.order_by().values("code").distinct()


def new_roles(reveal: Reveal) -> QuerySet[RoleGrant]:
    names = [role.name for role in roles_with(Permission.CODE_REVEAL)]
    week_ago = reveal.at - timedelta(days=7)
    return RoleGrant.objects.filter(user=reveal.person_id, role__in=names, granted_at__gt=week_ago)


def refusals(reveal: Reveal) -> QuerySet[Reveal]:
    hour_ago = reveal.at - timedelta(hours=1)
    return Reveal.objects.filter(person=reveal.person_id, outcome="refused", at__gt=hour_ago, at__lte=reveal.at)


PATTERNS: dict[str, Pattern] = {
    "burst": Pattern("revealed more than 5 codes in 10 minutes", lambda reveal: granted(reveal, minutes=10), 6),
    "off_hours": Pattern("revealed a code outside the working hours", outside_hours),
    "old_code": Pattern(
        "revealed a code that has been here for over 30 days",
        lambda reveal: Code.objects.filter(pk=reveal.code_id, stored_at__lt=reveal.at - timedelta(days=30)),
    ),
    "elsewhere": Pattern("revealed a code from an address or a browser never used before", from_elsewhere),
    "new_role": Pattern("revealed a code within a week of getting the role for it", new_roles),
    "neighbours": Pattern("revealed three codes of one order one after the other", neighbours_before, 2),
    "own_order": Pattern(
        "revealed a code of an order they had asked for themselves",
        lambda reveal: Order.objects.filter(codes=reveal.code_id, requested_by=reveal.person_id),
    ),
    "claimed": Pattern(
        "revealed a code that was claimed already",
        lambda reveal: Code.objects.filter(pk=reveal.code_id, state__in=("claimed", "replaced", "credited")),
    ),
    "second": Pattern(
        "revealed a code that somebody else had seen",
        lambda reveal: Reveal.objects.filter(
            ~Q(person=reveal.person_id), code=reveal.code_id, outcome__in=SEEN, number__lt=reveal.number
        ),
    ),
    "refusals": Pattern("was refused a code three times in an hour", refusals, 3, of_refusals=True),
}


def unusual_reveal(name: str, pattern: Pattern) -> None:
    """Register a pattern over rows that this room does not know."""
    PATTERNS[name] = pattern


def fits(pattern: Pattern, reveal: Reveal) -> bool:
    if pattern.of_refusals is not (reveal.outcome == "refused"):
        return False
    return len(pattern.rows(reveal)[: pattern.at_least]) >= pattern.at_least


def watch_reveal(ref: str) -> None:
    """Compare one reveal with every pattern, once; each that fits becomes an alert, on record and in the log."""
    reveal = Reveal.objects.select_related("person", "code__order").filter(pk=ref, watched_at__isnull=True).first()
    if reveal is None:
        return
    found = [name for name, pattern in PATTERNS.items() if fits(pattern, reveal)]
    with transaction.atomic():
        if not Reveal.objects.filter(pk=reveal.pk, watched_at__isnull=True).update(watched_at=timezone.now()):
            return
        for name in found:
            RevealAlert.objects.create(pattern=name, reveal=reveal, person=reveal.person)
            record("code.reveal_unusual", by=None, subject=reveal.code, **facts_of(name, reveal))
    for name in found:
        log.warning("Unusual reveal: %s %s (%s)", reveal.person, PATTERNS[name].says, reveal.pk)


def unwatched() -> list[str]:
    """Reveals whose work was lost."""
    rows = Reveal.objects.filter(watched_at__isnull=True, at__lt=timezone.now() - LOST).order_by("at")
    return [str(pk) for pk in rows.values_list("pk", flat=True)[:500]]


def facts_of(name: str, reveal: Reveal) -> dict[str, str]:
    return {"pattern": name, "person": str(reveal.person), "says": PATTERNS[name].says, "last4": reveal.code.last4}


def look_at_alert(*, by: User, alert: RevealAlert, note: str) -> None:
    """Say what was found; never about one's own reveal. Raises NotAllowed, Refused or StaleState."""
    check_can(by, Permission.AUDIT_VIEW)
    if by.pk == alert.person_id:
        raise NotAllowed("This alert is about you; somebody else looks at it. Nothing was changed.")
    note = " ".join(note.split())
    if not 10 <= len(note) <= 500:
        raise Refused("Say in 10 to 500 characters what you found. Nothing was changed.")
    with transaction.atomic():
        mine = RevealAlert.objects.filter(pk=alert.pk, looked_by__isnull=True)
        if not mine.update(looked_by=by, looked_at=timezone.now(), note=note):
            raise StaleState("Somebody looked at this alert meanwhile. Nothing was changed. Read what they found.")
        record(
            "code.reveal_looked_at",
            by=by,
            subject=alert.reveal.code,
            reason=note,
            **facts_of(alert.pattern, alert.reveal),
        )


def alerts_to_look_at(user: User) -> int:
    """How many alerts wait for this person: none of their own."""
    return RevealAlert.objects.filter(looked_by__isnull=True).exclude(person=user).count()
