"""Supplier's orders that no order of ours carries: noted once, read, and ended by two people or by the order they belong to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from procurement.audit.services import record
from procurement.bookkeeping import postings
from procurement.catalog.models import Mapping, Product
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.orders.evidence import in_question, told_of
from procurement.orders.fitting import major, misfits, mistimed
from procurement.orders.models import Order, UnclaimedOrder
from procurement.orders.services.drafting import cancel_order, next_client_order_id
from procurement.orders.services.outcomes import FIRST_CHECK, INVESTIGATE, claim_for, settle_cost
from procurement.orders.services.timing import when_free
from procurement.orders.states import ORDER, UNCLAIMED, UNCONFIRMED
from procurement.staff.access import check_can, check_confirms
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import transition
from procurement.suppliers.clients import client_for
from procurement.suppliers.clients.problems import NotFound, SupplierProblem
from procurement.suppliers.clients.types import RemoteOrder
from procurement.suppliers.models import SupplierAccount
from procurement.work.services import make_due

READ_UNCLAIMED = "order.unclaimed"
READ_AGAIN = timedelta(minutes=1)
# A supplier that does not know the order it named is asked this often, for a day.
MISSING_AGAIN, MISSING_FOR = timedelta(minutes=30), timedelta(hours=24)
ADOPTED, DISMISSED = "adopted", "dismissed"
# An order of ours in one of these may still be told its supplier id.
UNDER_WAY = ("approved", "placing", *UNCONFIRMED)


def note_unclaimed(
    *, account: SupplierAccount, remote_id: str, seen_by: str, remote: RemoteOrder | None = None
) -> UnclaimedOrder | None:
    """Open an incident for a supplier's order, once however often it is seen; None if an order of ours carries it.

    `seen_by` is event, list, answer or person; `remote` what was just read of it, if it was. Otherwise it is read soon.
    """
    if Order.objects.filter(account=account, remote_id=remote_id).exists():
        return None
    with transaction.atomic():
        row, made = UnclaimedOrder.objects.get_or_create(
            account=account, remote_id=remote_id, defaults={"seen_by": seen_by, "first_seen_at": timezone.now()}
        )
        if made:
            record("unclaimed.opened", by=None, subject=row, how=row.get_seen_by_display())
        if made or (row.is_open and row.read_at is None):
            make_due(READ_UNCLAIMED, str(row.pk))
        if remote is not None and row.is_open:
            keep_reading(row, remote)
    return row


def note_listed(account: SupplierAccount, listed: Iterable[RemoteOrder], *, about: Order | None = None) -> None:
    """Note what is in the supplier's own list and in none of our orders.

    Left out is what goes by the id of an order of ours that is still under way, and may yet be told of it; except `about`,
    the order that is being found out about.
    """
    found = list(listed)
    rows = Order.objects.filter(account=account)
    known = set(rows.filter(remote_id__in=[one.remote_id for one in found]).values_list("remote_id", flat=True))
    open_ones = rows.filter(state__in=UNDER_WAY, client_order_id__in=[one.client_order_id for one in found])
    open_ones = open_ones.exclude(pk__in=[about.pk] if about else [])
    expected = set(open_ones.values_list("client_order_id", flat=True))
    for one in found:
        if one.remote_id not in known and one.client_order_id not in expected:
            note_unclaimed(account=account, remote_id=one.remote_id, seen_by="list", remote=one)


def follow_unclaimed(row_id: str) -> datetime | None:
    """The desk's step for one of them: bind it if an order of ours carries it by now, else read it; when to come back."""
    row = UnclaimedOrder.objects.select_related("account").get(pk=row_id)
    if not row.is_open:
        return None
    order = Order.objects.filter(account=row.account, remote_id=row.remote_id).first()
    if order is not None:
        claim_for(order)
        return None
    if row.read_at is None:
        again = read_unclaimed(row)
        if again is not None:
            return again
    look_for_second_purchase(row)
    for pk in Order.objects.filter(account=row.account, state__in=UNCONFIRMED).values_list("pk", flat=True):
        make_due(INVESTIGATE, str(pk))
    return None


def unread_orders() -> list[int]:
    """Those that still have to be read, or to be bound to the order of ours that carries them."""
    rows = UnclaimedOrder.objects.filter(state="open")
    ours = Order.objects.filter(account=OuterRef("account"), remote_id=OuterRef("remote_id"))
    patient = Q(read_at=None, first_seen_at__gt=timezone.now() - MISSING_FOR)
    return list(rows.annotate(is_ours=Exists(ours)).filter(patient | Q(is_ours=True)).values_list("pk", flat=True))


def read_unclaimed(row: UnclaimedOrder) -> datetime | None:
    """Ask the supplier about it under our key; None once that is done, or given up."""
    wait = when_free(row.account, paying=False)
    if wait is not None:
        return wait
    try:
        remote = client_for(row.account).read_order(row.remote_id)
    except NotFound as problem:
        note(row, problem=problem.sentence[:500])
        patient = timezone.now() < row.first_seen_at + MISSING_FOR
        return timezone.now() + MISSING_AGAIN if patient else None
    except SupplierProblem as problem:
        note(row, problem=problem.sentence[:500])
        return problem.retry_at or timezone.now() + READ_AGAIN
    with transaction.atomic():
        keep_reading(row, remote)
    return None


def keep_reading(row: UnclaimedOrder, remote: RemoteOrder) -> None:
    """Store what the supplier says of it; on record when it is the first time or says something new."""
    new = row.read_at is None or row.remote_status != remote.raw_status[:40]
    note(
        row,
        read_at=timezone.now(),
        problem="",
        remote_status=remote.raw_status[:40],
        client_order_id=remote.client_order_id[:100],
        external_id=remote.external_id[:100],
        region=remote.region[:40],
        denomination=remote.denomination,
        quantity=remote.quantity,
        total_minor=remote.total,
        currency=remote.currency,
        created_at=remote.created_at,
    )
    if new:
        record("unclaimed.read", by=None, subject=row, source="supplier", what=what_it_is(row))


def note(row: UnclaimedOrder, **values: Any) -> None:
    """Write plain facts about it (never its state)."""
    UnclaimedOrder.objects.filter(pk=row.pk).update(**values)
    for name, value in values.items():
        setattr(row, name, value)


def what_it_is(row: UnclaimedOrder) -> str:
    """`2 × US 50, 96.00 USD, delivered`: whatever of it is known."""
    product = row.external_id or " ".join(
        filter(None, [row.region, f"{row.denomination:f}" if row.denomination is not None else ""])
    )
    cost = postings.amount_text(row.total_minor, row.currency) if row.total_minor is not None and row.currency else ""
    many = f"{row.quantity:,} × " if row.quantity is not None else ""
    return ", ".join(filter(None, [f"{many}{product or 'codes'}", cost, row.remote_status]))


def look_for_second_purchase(row: UnclaimedOrder) -> None:
    """Name the order of ours that ended as not placed and that this one fits: a late surprise (4.4)."""
    if row.second_of_id is not None or row.read_at is None:
        return
    ended = Order.objects.filter(account=row.account, state="place_failed", attempts__sent_at__isnull=False).distinct()
    for order in ended.select_related("product", "account").order_by("-created_at")[:200]:
        attempt = in_question(order)
        if attempt is None or attempt.sent_at is None or misfits(order, told_of(row)):
            continue
        if mistimed(attempt.sent_at, attempt.deadline or attempt.sent_at, row.created_at):
            continue
        with transaction.atomic():
            named = UnclaimedOrder.objects.filter(pk=row.pk, state="open", second_of=None).update(second_of=order)
            if named:
                row.second_of = order
                record("unclaimed.second_purchase", by=None, subject=row, order=str(order))
        return


def ordered_again(row: UnclaimedOrder) -> list[Order]:
    """Our later orders of the same SKU: what is not sent yet is held, the others may make it a second purchase."""
    if row.second_of is None:
        return []
    later = Order.objects.filter(sku=row.second_of.sku_id, created_at__gt=row.second_of.created_at)
    ended = ("draft", "rejected", "cancelled", "expired")
    mine = [pk for pk in (row.second_of_id, row.order_id) if pk is not None]
    return list(later.exclude(pk__in=mine).exclude(state__in=ended).order_by("created_at"))


def check_uninvolved(by: User, row: UnclaimedOrder) -> None:
    """Who asked for the order that it may be a second purchase of does not say whose it is."""
    if row.second_of is not None and row.second_of.requested_by_id == by.pk:
        raise NotAllowed(f"You asked for {row.second_of}, so others must say whose this is. Nothing was changed.")


def check_open(row: UnclaimedOrder) -> None:
    row.refresh_from_db()
    if not row.is_open:
        raise StaleState(f"{row} is “{row.status.label}” already. Nothing was changed.")


def propose_end(*, by: User, row: UnclaimedOrder, proposal: str, reason: str) -> None:
    """Say that the order is to become ours, or that it is none of ours; another person confirms it.

    Raises Refused without a reason of ten characters, or for an adoption that could not be done.
    """
    check_can(by, Permission.CASE_WORK)
    check_uninvolved(by, row)
    check_open(row)
    reason = " ".join(reason.split())
    if proposal not in {ADOPTED, DISMISSED}:
        raise Refused("Choose whether it is adopted or dismissed. Nothing was proposed.")
    if len(reason) < 10:
        raise Refused("Say in at least 10 characters how you know. Nothing was proposed.")
    if proposal == ADOPTED:
        mapping_for(row)
    with transaction.atomic():
        changed = UnclaimedOrder.objects.filter(pk=row.pk, state="open", proposal="").update(
            proposal=proposal, reason=reason, proposed_by=by, proposed_at=timezone.now()
        )
        if changed != 1:
            raise StaleState("Somebody proposed something already. Nothing was added. Reload the page.")
        record("unclaimed.proposed", by=by, subject=row, reason=reason, verdict=words_of(proposal))
    row.refresh_from_db()


def words_of(proposal: str) -> str:
    return "it becomes an order of ours" if proposal == ADOPTED else "it is none of ours"


def decline_end(*, by: User, row: UnclaimedOrder) -> None:
    """Take a proposal off the table: its author withdraws it, or finance does not agree."""
    check_open(row)
    if row.proposed_by_id != by.pk:
        check_can(by, Permission.RECONCILIATION_RUN)
    with transaction.atomic():
        nothing = {"proposal": "", "reason": "", "proposed_by": None, "proposed_at": None}
        if not UnclaimedOrder.objects.filter(pk=row.pk, state="open").exclude(proposal="").update(**nothing):
            raise StaleState("There is no open proposal any more. Nothing was changed.")
        record("unclaimed.declined", by=by, subject=row, verdict=words_of(row.proposal))
    row.refresh_from_db()


def confirm_end(*, by: User, row: UnclaimedOrder) -> Order | None:
    """Finance confirms what another person proposed; an adoption gives the new order of ours.

    What waits for the same SKU and was not sent is cancelled by an adoption: the goods come by the adopted order.
    """
    check_confirms(by, Permission.RECONCILIATION_RUN)
    check_uninvolved(by, row)
    check_open(row)
    if not row.proposal:
        raise StaleState("There is no open proposal any more. Nothing was changed.")
    if row.proposed_by_id == by.pk:
        raise NotAllowed("You proposed this; it needs another person. Nothing was changed.")
    decided: dict[str, Any] = {"decided_by": by, "decided_at": timezone.now()}
    with transaction.atomic():
        if row.proposal == DISMISSED:
            transition(row, DISMISSED, by=by, machine=UNCLAIMED, reason=row.reason, **decided)
            return None
        order = adopt(row, by)
        transition(
            row,
            ADOPTED,
            by=by,
            machine=UNCLAIMED,
            reason=row.reason,
            facts={"order": str(order)},
            order=order,
            **decided,
        )
        for waiting in ordered_again(row):
            if waiting.state == "approved" and waiting.attempts.filter(state="ready", sent_at__isnull=True).exists():
                cancel_order(by=None, order=waiting, reason=f"{order} took its place")
    return order


def mapping_for(row: UnclaimedOrder) -> Mapping:
    """What it was bought for: the mapping of the order it may repeat, else the active one of its product; Refused if none."""
    if row.read_at is None or row.quantity is None or row.quantity < 1:
        raise Refused(
            f"{row.remote_id} was not read at the supplier yet, so it can't be adopted. Nothing was proposed."
        )
    if row.second_of is not None:
        return row.second_of.mapping
    rows = Mapping.objects.filter(account=row.account, state="active").select_related("product", "sku", "account")
    for mapping in rows.order_by("pk"):
        if is_for(row, mapping.product):
            return mapping
    raise Refused(
        f"No active mapping fits {what_it_is(row)}, so it can't be adopted. Nothing was proposed. Map its product first."
    )


def is_for(row: UnclaimedOrder, product: Product) -> bool:
    """Whether the supplier's order is for this product: by its key, or by region and face value where there is none."""
    if row.external_id:
        return row.external_id == product.external_id
    return row.region == product.region and row.denomination == major(product.denomination_minor, product.currency)


def adopt(row: UnclaimedOrder, by: User) -> Order:
    """Make it an order of ours, already taken: its cost is booked, its codes are fetched, and nothing is sent."""
    mapping, quantity = mapping_for(row), row.quantity or 1
    product, sku, now = mapping.product, mapping.sku, timezone.now()
    currency = row.currency or product.cost_currency or row.account.settlement_currency
    unit = -(-row.total_minor // quantity) if row.total_minor else product.cost_minor or 1
    order = Order.objects.create(
        client_order_id=next_client_order_id(),
        sku=sku,
        mapping=mapping,
        product=product,
        account=row.account,
        sold_region=sku.region,
        sold_currency=sku.currency,
        sold_face_minor=sku.face_minor,
        region=product.region,
        face_currency=product.currency,
        face_minor=product.denomination_minor,
        quantity=quantity,
        unit_cost_minor=unit,
        cost_currency=currency,
        price_read_at=row.read_at or now,
        purpose=f"Adopted: {row.remote_id} at {row.account}"[:500],
        created_at=now,
    )
    transition(
        order,
        "placed",
        by=by,
        machine=ORDER,
        reason=row.reason,
        facts={"remote_id": row.remote_id},
        remote_id=row.remote_id,
        remote_status=row.remote_status,
        placed_at=row.created_at or now,
        total_cost_minor=settle_cost(order, row.total_minor, row.currency),
    )
    make_due("order.check", str(order.pk), at=now + FIRST_CHECK)
    return order
