"""What cases have to do with reveals: an open one of their own is what support reveals for; its end makes one unusual."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q, QuerySet

from procurement.audit.models import AuditEvent
from procurement.claims.models import Case
from procurement.claims.states import OPEN_CASE
from procurement.orders.grounds import Ground, reveal_ground
from procurement.orders.models import Code, Reveal
from procurement.orders.watching import Pattern, unusual_reveal
from procurement.staff.access import may
from procurement.staff.models import User
from procurement.staff.permissions import Permission

HOUR = timedelta(hours=1)


@reveal_ground
def of_cases(user: User, code: Code) -> list[Ground]:
    """Open cases this person owns, of the code's own order; a manager may work on anybody's."""
    if not may(user, Permission.CASE_WORK):
        return []
    about = Q(code=code) | Q(code__isnull=True) | Q(claims__replacement=code)
    rows = Case.objects.filter(about, order=code.order_id, state__in=OPEN_CASE)
    if not may(user, Permission.CODE_REVEAL_BY_ORDER):
        rows = rows.filter(owner=user)
    return [
        Ground(f"case:{case.pk}", case.number, f"Case {case.number}") for case in rows.distinct().order_by("pk")[:20]
    ]


def cases_ended_before(reveal: Reveal) -> QuerySet[AuditEvent]:
    """The ends of cases about this code in the hour before, for whatever it was revealed."""
    cases = [str(pk) for pk in Case.objects.filter(code=reveal.code_id).values_list("pk", flat=True)]
    ended = AuditEvent.objects.filter(subject_kind="claims.case", subject_id__in=cases)
    return ended.filter(action__in=("case.closed", "case.solved"), at__gt=reveal.at - HOUR, at__lte=reveal.at)


unusual_reveal("after_case", Pattern("revealed a code within an hour of the end of its case", cases_ended_before))
