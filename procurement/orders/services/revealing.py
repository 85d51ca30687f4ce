"""Showing one code to one person: recorded before it is opened, limited, never in bulk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Count, Max, Q
from django.utils import timezone

from procurement.audit.services import record
from procurement.errors import NotAllowed, Refused, Unavailable
from procurement.faultpoints import faultpoint
from procurement.orders import policies
from procurement.orders.custody import SEEN, Reveal
from procurement.orders.grounds import Ground, find_ground
from procurement.orders.models import Code
from procurement.orders.watching import WATCH
from procurement.staff.models import User
from procurement.vault import KeyUnavailable, Purpose, SealBroken, Secret, open_sealed
from procurement.work.services import make_due

# How often a reveal counts anew because another one took its number meanwhile.
TRIES = 5


@dataclass(frozen=True)
class Ask:
    """What somebody says with a reveal: for what (`case:91`, `order:<id>`), why, in which words; and from where they ask."""

    ground: str
    words: str
    why: str = "fault"
    how: str = "shown"
    address: str = ""
    browser: str = ""


@dataclass(frozen=True)
class Left:
    """How many reveals are left: to this person in the running hour and day, to the team in the running day."""

    hour: int
    day: int
    team: int

    @property
    def now(self) -> int:
        return max(0, min(self.hour, self.day, self.team))


def reveals_left(user: User) -> Left:
    """Counted in the database over what was granted, so that no process and no restart begins anew."""
    limits, now = settings.REVEAL_LIMITS, timezone.now()
    mine = Q(person=user)
    counted = Reveal.objects.filter(number__isnull=False, at__gt=now - timedelta(days=1)).aggregate(
        hour=Count("pk", filter=mine & Q(at__gt=now - timedelta(hours=1))),
        day=Count("pk", filter=mine),
        team=Count("pk"),
    )
    return Left(**{name: limits[name] - counted[name] for name in ("hour", "day", "team")})


def check_limits(user: User) -> None:
    """10 codes an hour and 30 a day for one person, 100 a day for the team, unless the settings say less or more."""
    left, limits = reveals_left(user), settings.REVEAL_LIMITS
    if left.team <= 0:
        raise Refused(
            f"The team has revealed {limits['team']} codes in 24 hours, which is the limit. It was not opened. Wait, or tell a manager."
        )
    if left.now <= 0:
        raise Refused(
            f"You have revealed {limits['hour']} codes in an hour or {limits['day']} in 24 hours. It was not opened. "
            "Ask a colleague who is on the case, or wait."
        )


def reveal_code(*, by: User, code: Code, ask: Ask) -> Secret:
    """Open one code for one person. The record of it is committed before the code is opened; without a record it stays closed.

    Raises NotAllowed, Refused (ground, reason, limit), which are recorded too, or Unavailable; in each case nothing was shown.
    """
    policies.check_may_reveal(by)
    try:
        policies.check_can_reveal(by, code)
        policies.check_not_erased(code)
        words = policies.check_reveal_reason(ask.words, ask.why)
        ground = find_ground(by, code, ask.ground)
        reveal = grant(by, code, ask, ground, words)
    except (Refused, NotAllowed) as refusal:
        note_refusal(by=by, code=code, ask=ask, sentence=refusal.sentence)
        raise
    faultpoint("reveal.granted")
    return open_granted(by, code, reveal)


def grant(by: User, code: Code, ask: Ask, ground: Ground, words: str) -> Reveal:
    """Count and write down, together and committed: two at once can't both take the last one."""
    for _ in range(TRIES):
        try:
            with transaction.atomic(durable=True):
                last = Reveal.objects.aggregate(last=Max("number"))["last"] or 0
                check_limits(by)
                reveal = Reveal.objects.create(
                    number=last + 1,
                    code=code,
                    person=by,
                    ground=ground.ref,
                    ground_label=ground.label,
                    why=ask.why,
                    words=words,
                    outcome="granted",
                    **origin(ask),
                )
                facts: dict[str, Any] = {
                    "last4": code.last4,
                    "how": ask.how,
                    "ground": ground.label,
                    "number": last + 1,
                }
                record("code.reveal_granted", by=by, subject=code, reason=words, **facts)
                make_due(WATCH, str(reveal.pk))
            return reveal
        except IntegrityError:
            continue
        except DatabaseError as error:
            raise Unavailable(NO_RECORD) from error
    raise Unavailable(NO_RECORD)


NO_RECORD = "The record could not be written, so the code was not opened. Try again, or tell an administrator."


def origin(ask: Ask) -> dict[str, str]:
    return {"how": ask.how, "address": ask.address[:60], "browser": ask.browser[:200]}


def open_granted(by: User, code: Code, reveal: Reveal) -> Secret:
    """Open what was granted and note what came of it; without that second record it is not handed out either."""
    facts = {"last4": code.last4, "how": reveal.how, "ground": reveal.ground_label}
    try:
        opened = open_sealed(code.sealed, purpose=Purpose.CODE, context=code.context())
    except (KeyUnavailable, SealBroken) as error:
        note_outcome(by, code, reveal, "failed", facts)
        raise Unavailable(
            "The code could not be opened: its seal or its key does not fit. Tell an administrator."
        ) from error
    faultpoint("reveal.opened")
    note_outcome(by, code, reveal, "shown", facts)
    return opened


def note_outcome(by: User, code: Code, reveal: Reveal, outcome: str, facts: dict[str, str]) -> None:
    try:
        with transaction.atomic():
            Reveal.objects.filter(pk=reveal.pk, outcome="granted").update(outcome=outcome)
            record(f"code.reveal_{outcome}", by=by, subject=code, **facts)
    except DatabaseError as error:
        raise Unavailable(NO_RECORD) from error


def note_refusal(*, by: User, code: Code, ask: Ask, sentence: str) -> None:
    """Somebody asked for a code and got none: that is on record too, and three of them are an alert."""
    words = policies.clean_words(ask.words)
    try:
        with transaction.atomic():
            refused = Reveal.objects.create(
                code=code,
                person=by,
                ground=ask.ground[:60],
                words=words,
                outcome="refused",
                refusal=sentence[:500],
                **origin(ask),
            )
            record("code.reveal_refused", by=by, subject=code, reason=words, last4=code.last4, why=sentence)
            make_due(WATCH, str(refused.pk))
    except DatabaseError as error:
        raise Unavailable(NO_RECORD) from error


def reveals_of(code: Code, before: datetime | None = None) -> list[Reveal]:
    """Who had access to this code and when, newest first; only until `before`, if given."""
    rows = Reveal.objects.filter(code=code, outcome__in=SEEN).select_related("person").order_by("-at", "-number")
    return list(rows.filter(at__lt=before) if before else rows)
