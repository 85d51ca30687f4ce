"""A case is what support reveals a code for: an open one of their own, about that code or the one that replaces it."""

from __future__ import annotations

from django.db.models import Q

from procurement.claims.models import Case
from procurement.claims.states import OPEN_CASE
from procurement.orders.grounds import Ground, reveal_ground
from procurement.orders.models import Code
from procurement.staff.access import may
from procurement.staff.models import User
from procurement.staff.permissions import Permission


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
