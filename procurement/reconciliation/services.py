"""Comparing a day with the supplier, and asking for it to be done."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from procurement.audit.services import record
from procurement.errors import Refused
from procurement.faultpoints import faultpoint
from procurement.reconciliation.chain import parting_words
from procurement.reconciliation.comparing import Result, compare
from procurement.reconciliation.differences import Found
from procurement.reconciliation.facts import Facts, gather
from procurement.reconciliation.matching import undo_broken
from procurement.reconciliation.models import Day, Difference
from procurement.reconciliation.reading import nearest_snapshot, read_supplier
from procurement.reconciliation.signing import reopen_if_changed
from procurement.reconciliation.stated import stated_differences
from procurement.reconciliation.window import WORK_KIND, Window, window_of, work_ref
from procurement.staff.access import check_can
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.suppliers.clients import SupplierProblem
from procurement.suppliers.models import SupplierAccount
from procurement.work.services import make_due


def reconcile_day(*, by: User | None, account: SupplierAccount, currency: str, day: date) -> Day:
    """Ask the supplier, compare, and keep what does not agree (R91-R93, R95, R98); a second run changes nothing (R97).

    When the supplier can't be asked, the result of the run before stays, with a sentence. Calls the supplier: never
    inside a transaction.
    """
    if by is not None:
        check_can(by, Permission.RECONCILIATION_RUN)
    window = window_of(account, currency, day)
    if window.start > window.now:
        raise Refused(f"{day} has not begun. Nothing was compared. Choose a day that has.")
    problem = ""
    try:
        read_supplier(window)
    except SupplierProblem as refusal:
        problem = refusal.sentence[:500]
        if Day.objects.filter(account=account, currency=currency, day=day).update(problem=problem):
            return Day.objects.select_related("account").get(account=account, currency=currency, day=day)
    window = window if window.is_over else window_of(account, currency, day)
    stated = stated_differences(window)
    facts = gather(window, nearest_snapshot(window), {str(one.order) for one in stated if one.order})
    faultpoint("reconciliation.read")
    carried = carried_into(window)
    result = compare(
        facts,
        lambda known: parting_words(window, reading_time(facts), known, sum(carried)),
        carried,
        stated,
    )
    return keep(by, facts, result, problem)


def carried_into(window: Window) -> list[int]:
    """What each difference of the day before changed in the balance, in minor units: it may go on until it is settled.

    An unconfirmed order is left out: while its money is held, each day names it anew.
    """
    before = Difference.objects.filter(
        day__account=window.account,
        day__currency=window.currency,
        day__day=window.day - timedelta(days=1),
        gone_at__isnull=True,
    )
    kept = before.exclude(effect_minor=0).exclude(kind="unconfirmed").order_by("kind", "reference")
    return list(kept.values_list("effect_minor", flat=True))


def reading_time(facts: Facts) -> Any:
    return facts.snapshot.taken_at if facts.snapshot else facts.window.cutoff


def keep(by: User | None, facts: Facts, result: Result, problem: str) -> Day:
    """Store the day and its differences in one transaction; what was found before and is gone gets its time."""
    window = facts.window
    with transaction.atomic():
        row, _made = Day.objects.get_or_create(account=window.account, currency=window.currency, day=window.day)
        before = (row.state, row.ours_minor, row.theirs_minor)
        for name, value in figures_of(facts, result, problem).items():
            setattr(row, name, value)
        changed = sync_differences(row, result.found) | undo_broken(row) or before != (
            row.state,
            row.ours_minor,
            row.theirs_minor,
        )
        row.version += 1 if changed else 0
        row.save()
        reopen_if_changed(row)
        faultpoint("reconciliation.kept")
        if by is not None or changed:
            count = len(result.found)
            words = (
                f"{row.status.label}, {count} {'difference' if count == 1 else 'differences'}"
                if count
                else row.status.label
            )
            record("reconciliation.ran", by=by, subject=row, result=words)
    return row


def figures_of(facts: Facts, result: Result, problem: str) -> dict[str, Any]:
    """The day's columns. Theirs is what the supplier said, with our own movements up to the cut-off carried over."""
    flows, difference = facts.flows, facts.difference
    return {
        "opening_minor": flows.opening,
        "deposits_minor": flows.deposits,
        "orders_minor": flows.orders,
        "credits_minor": flows.credits,
        "ours_minor": flows.closing,
        "theirs_minor": None if difference is None else flows.closing + difference,
        "theirs_read_at": facts.snapshot.taken_at if facts.snapshot else None,
        "matched": result.matched,
        "matched_minor": result.matched_minor,
        "in_flight": result.in_flight,
        "in_flight_minor": result.in_flight_minor,
        "unread": result.unread,
        "state": state_of(facts, result, problem),
        "checked_at": timezone.now(),
        "problem": problem,
    }


def state_of(facts: Facts, result: Result, problem: str) -> str:
    """Waiting while anything of the supplier's is not known, and never a difference of zero instead."""
    if problem or result.unread or facts.difference is None:
        return "waiting"
    return "differs" if result.found else "agrees"


def sync_differences(row: Day, found: list[Found]) -> bool:
    """Make the open differences of a day those of `found`; whether anything was written."""
    still_open = {(one.kind, one.reference): one for one in row.differences.filter(gone_at__isnull=True)}
    named = {(one.kind, one.reference): one for one in found}
    gone = [one.pk for key, one in still_open.items() if key not in named]
    Difference.objects.filter(pk__in=gone).update(gone_at=timezone.now())
    fresh = [build(row, one) for key, one in named.items() if key not in still_open]
    Difference.objects.bulk_create(fresh)
    moved = [one for key, one in still_open.items() if key in named and rewrite(one, named[key])]
    Difference.objects.bulk_update(moved, [*FACTS, *SAID])
    return bool(gone or fresh or moved)


FACTS = ("amount_minor", "effect_minor", "order", "ours", "theirs", "sentence")
SAID = ("cause", "note", "explained_by", "accepted_by", "match")


def build(row: Day, found: Found) -> Difference:
    difference = Difference(day=row, kind=found.kind, reference=found.reference[:120], currency=row.currency)
    rewrite(difference, found)
    return difference


def rewrite(difference: Difference, found: Found) -> bool:
    """Bring a row up to what was found; whether it changed."""
    wanted = {
        "amount_minor": found.amount,
        "effect_minor": found.effect,
        "order_id": found.order,
        "ours": found.ours[:120],
        "theirs": found.theirs[:120],
        "sentence": found.sentence[:500],
    }
    changed = any(getattr(difference, name) != value for name, value in wanted.items())
    if difference.amount_minor != found.amount:
        # What finance said was said of another amount.
        wanted |= {"cause": "", "note": "", "explained_by": None, "accepted_by": None, "match": None}
    for name, value in wanted.items():
        setattr(difference, name, value)
    return changed


def ask_for_day(*, by: User, account: SupplierAccount, currency: str, day: date) -> None:
    """Let the work loop compare a day now; Refused for a day that has not begun."""
    check_can(by, Permission.RECONCILIATION_RUN)
    if window_of(account, currency, day).start > timezone.now():
        raise Refused(f"{day} has not begun. Nothing was compared. Choose a day that has.")
    with transaction.atomic():
        record("reconciliation.asked", by=by, subject=account, currency=currency, day=day.isoformat())
        make_due(WORK_KIND, work_ref(account, currency, day))
