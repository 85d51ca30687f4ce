"""Matching many to many: differences of a day that together come to nothing answer each other.

A supplier that sums two orders in one line of its statement, or splits a refund, leaves a difference for each side and
every one of them true: -90.00 that we did not book, and 45.00 and 45.00 that it does not name. What is proposed here is
arithmetic and no proof: a person accepts it. A match holds as long as every difference in it stays what it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction

from ledger.money import Money
from procurement.audit.services import record
from procurement.errors import Refused, StaleState
from procurement.reconciliation.models import Day, Difference
from procurement.reconciliation.states import MATCHED
from procurement.reconciliation.sums import zero_sets_apart
from procurement.staff.access import check_can
from procurement.staff.models import User
from procurement.staff.permissions import Permission

# Bounds of what is tried: sets of so many differences, out of the first so many of a day.
MOST_IN_A_SET = 6
MOST_TRIED = 24
# A difference of these kinds says that one side has what the other has not. The others say when, or what is awaited.
MATCHABLE = ("missing_here", "missing_there", "amount", "statement")


@dataclass(frozen=True)
class Proposal:
    """Differences that come to nothing together, and why they are proposed."""

    differences: tuple[Difference, ...]
    reason: str

    @property
    def ids(self) -> str:
        return ",".join(str(one.pk) for one in self.differences)


def matchable(row: Day) -> list[Difference]:
    """The open differences of a day that nobody explained and that may answer each other, in one order."""
    rows = row.differences.filter(gone_at__isnull=True, cause="", kind__in=MATCHABLE).exclude(amount_minor=0)
    return list(rows.select_related("order").order_by("kind", "reference")[:MOST_TRIED])


def proposals_for(row: Day) -> list[Proposal]:
    """What of a day may be matched, for a person to accept."""
    found = matchable(row)
    sets = zero_sets_apart([one.amount_minor for one in found], MOST_IN_A_SET)
    chosen = [tuple(found[place] for place in places) for places in sets]
    return [Proposal(rows, reason_of(rows, row.currency)) for rows in chosen]


def reason_of(chosen: Collection[Difference], currency: str) -> str:
    """Both sides in words, with the sum on which they agree."""
    more = [one for one in chosen if one.amount_minor > 0]
    less = [one for one in chosen if one.amount_minor < 0]
    total = Money(sum(one.amount_minor for one in more), currency)
    names = [" + ".join(named(one) for one in side) for side in (less, more)]
    return f"{names[0]} against {names[1]}: {total} on both sides."


def named(one: Difference) -> str:
    return f"{one.reference} ({Money(abs(one.amount_minor), one.currency)})"


def match_differences(*, by: User, row: Day, chosen: Collection[int]) -> None:
    """Accept that these differences of one day answer each other; Refused unless they come to exactly nothing.

    No second person is asked, because no money is left over; who signs the day sees each match with its name.
    """
    check_can(by, Permission.RECONCILIATION_RUN)
    if row.sign_offs.filter(state__in=["prepared", "signed"]).exists():
        raise StaleState("The day is prepared or signed. Nothing was matched. Take the preparation back first.")
    rows = list(
        row.differences.filter(pk__in=chosen, kind__in=MATCHABLE, gone_at__isnull=True).order_by("kind", "reference")
    )
    if len(rows) != len(set(chosen)) or len(rows) < 2:
        raise StaleState("These differences are not all open any more. Nothing was matched. Look at the day again.")
    rest = sum(one.amount_minor for one in rows)
    if rest:
        raise Refused(
            f"{Money(abs(rest), row.currency)} are left over. Nothing was matched. Explain what is left instead."
        )
    reason, group = reason_of(rows, row.currency)[:500], min(one.pk for one in rows)
    said = {"cause": MATCHED, "note": reason, "explained_by": by, "accepted_by": None, "match": group}
    with transaction.atomic():
        # Each as it was read: a comparison that ran meanwhile would have changed or emptied one.
        for one in rows:
            same = Difference.objects.filter(pk=one.pk, gone_at__isnull=True, cause="", amount_minor=one.amount_minor)
            if not same.update(**said):
                raise StaleState("One of them changed meanwhile. Nothing was matched. Look at the day again.")
        record("reconciliation.matched", by=by, subject=row, reason=reason, what=len(rows))


def undo_broken(row: Day) -> bool:
    """Take back each match of a day that a comparison broke: one of its differences is gone or another; whether one was."""
    groups = defaultdict[int, list[Difference]](list)
    for one in row.differences.filter(match__isnull=False):
        groups[one.match or 0].append(one)
    broken = [
        group
        for group, rows in groups.items()
        if sum(one.amount_minor for one in rows) or any(one.gone_at for one in rows)
    ]
    nothing = {"cause": "", "note": "", "explained_by": None, "accepted_by": None, "match": None}
    return bool(row.differences.filter(match__in=broken).update(**nothing))
