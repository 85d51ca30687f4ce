"""What the pages of people, proposals and limits show."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Prefetch, Q, QuerySet
from django.utils import timezone

from procurement.approvals.models import ApprovalRule
from procurement.approvals.services import limits_for
from procurement.orders.models import Order
from procurement.orders.services.drafting import NOT_SPENT
from procurement.people.models import Invitation, Proposal
from procurement.people.states import LINK_EXPIRED, OPEN
from procurement.staff.access import may
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import Status
from procurement.suppliers.models import SupplierAccount
from procurement.web.nav import nav_count

ACTIVE = Status("Active", "neutral", "nobody")
INVITED = Status("Invited", "progress", "the person invited")
DEACTIVATED = Status("Deactivated", "neutral", "nobody")
PREVIEW_DAYS = 30

IS_INVITED = Q(is_active=False, invitations__state=OPEN)


def people_for_list() -> QuerySet[User]:
    """Everybody with what the list shows of them, in a fixed number of queries."""
    links = Prefetch("invitations", Invitation.objects.filter(state=OPEN), to_attr="open_links")
    waiting = Prefetch(
        "proposals", Proposal.objects.filter(state=OPEN, expires_at__gte=timezone.now()), to_attr="waiting"
    )
    return User.objects.prefetch_related("grants", links, waiting)


def status_of(person: User) -> Status:
    """Whether they can sign in, were invited, or are deactivated."""
    if person.is_active:
        return ACTIVE
    links: list[Invitation] = getattr(person, "open_links", None) or list(person.invitations.filter(state=OPEN))
    if not links:
        return DEACTIVATED
    return LINK_EXPIRED if links[0].is_over else INVITED


def proposals_for_list() -> QuerySet[Proposal]:
    return Proposal.objects.select_related("subject", "proposed_by", "decided_by")


def open_proposals() -> QuerySet[Proposal]:
    return proposals_for_list().filter(state=OPEN, expires_at__gte=timezone.now())


@nav_count("people:person_list")
def waiting_for(user: User) -> int:
    """Proposals this person may decide."""
    if not may(user, Permission.PEOPLE_MANAGE):
        return 0
    return open_proposals().exclude(proposed_by=user).exclude(subject=user).count()


@dataclass(frozen=True)
class Limits:
    """The limits of one currency in minor units, and whether an installation set them."""

    currency: str
    order_minor: int
    daily_minor: int
    rule: ApprovalRule | None


def currencies() -> list[str]:
    """What accounts are settled in, and what has limits of its own."""
    settled = SupplierAccount.objects.values_list("settlement_currency", flat=True)
    return sorted({*settled, *ApprovalRule.objects.values_list("currency", flat=True)})


def all_limits() -> list[Limits]:
    rules = {rule.currency: rule for rule in ApprovalRule.objects.select_related("changed_by")}
    return [Limits(currency, *limits_for(currency), rules.get(currency)) for currency in currencies()]


def would_have_needed(currency: str, order_limit_minor: int, daily_limit_minor: int) -> int:
    """How many orders of the last 30 days these limits would have put to a manager: by size, or by their person's day."""
    since = timezone.now() - timedelta(days=PREVIEW_DAYS)
    orders = Order.objects.filter(cost_currency=currency, created_at__gte=since, requested_by__isnull=False)
    spent: dict[tuple[int | None, date], int] = defaultdict(int)
    needed = 0
    for order in (
        orders.exclude(state__in=NOT_SPENT)
        .order_by("created_at", "pk")
        .only("requested_by_id", "created_at", "unit_cost_minor", "quantity")
    ):
        amount, day = order.max_total_minor, (order.requested_by_id, order.created_at.date())
        needed += amount > order_limit_minor or amount + spent[day] > daily_limit_minor
        spent[day] += amount
    return needed
