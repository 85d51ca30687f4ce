"""From a storefront order to an approved purchase: draft, submit, withdraw, cancel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Sum
from django.utils import timezone

from procurement.approvals import services as approvals
from procurement.audit.services import record
from procurement.bookkeeping import postings
from procurement.bookkeeping.volume import gate_of
from procurement.catalog.models import Mapping
from procurement.catalog.policies import check_validated
from procurement.errors import Refused, StaleState
from procurement.orders import policies
from procurement.orders.models import Order
from procurement.orders.services.approved import approval_content
from procurement.orders.services.outcomes import free_lane
from procurement.orders.services.placing import release_for_placing
from procurement.orders.states import ATTEMPT, ORDER
from procurement.staff.access import check_can
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import transition
from procurement.terms.queries import questions_left

# States in which an order's money is not, or no longer, on its way.
NOT_SPENT = ("draft", "rejected", "cancelled", "expired", "place_failed", "refunded")


@dataclass(frozen=True)
class Quote:
    """What an order would cost now: minor units of `currency`; `rule` is why it needs a second person, or empty."""

    mapping: Mapping
    quantity: int
    unit_cost_minor: int
    total_minor: int
    currency: str
    read_at: datetime
    free_before_minor: int
    free_after_minor: int
    spent_today_minor: int
    rule: str
    warnings: tuple[str, ...]


def next_client_order_id() -> str:
    """A free id in the storefront's pattern, for an order that has none yet."""
    number = 1000 + Order.objects.count() + 1
    while Order.objects.filter(client_order_id=f"ORDER-{number}").exists():
        number += 1
    return f"ORDER-{number}"


def spent_today(user: User | None, currency: str) -> int:
    """Minor units of `currency` this person's orders of the UTC day may cost at most."""
    start = datetime.combine(timezone.now().date(), time.min, tzinfo=timezone.get_default_timezone())
    orders = Order.objects.filter(requested_by=user, cost_currency=currency, created_at__gte=start).exclude(
        state__in=NOT_SPENT
    )
    return int(orders.aggregate(total=Sum(F("unit_cost_minor") * F("quantity")))["total"] or 0)


def quote(*, by: User | None, mapping: Mapping, quantity: int) -> Quote:
    """Check everything that would refuse the order and say what it costs, leaves and needs. Writes nothing."""
    policies.check_account(mapping.account)
    policies.check_mapping(mapping)
    product = mapping.product
    policies.check_product(product)
    check_validated(product)
    policies.check_quantity(quantity, product)
    if product.cost_minor is None or product.read_at is None:  # check_product refused it; this tells the type checker
        raise Refused(f"{product} is not offered now.")
    total = product.cost_minor * quantity
    free = postings.free_balance(mapping.account.code, product.cost_currency)
    if total > free:
        raise Refused(postings.not_enough(mapping.account.code, product.cost_currency, total, free))
    spent = spent_today(by, product.cost_currency)
    rule = approvals.rule_for(amount_minor=total, spent_today_minor=spent, currency=product.cost_currency)
    return Quote(
        mapping=mapping,
        quantity=quantity,
        unit_cost_minor=product.cost_minor,
        total_minor=total,
        currency=product.cost_currency,
        read_at=product.read_at,
        free_before_minor=free,
        free_after_minor=free - total,
        spent_today_minor=spent,
        rule=rule,
        warnings=tuple(warnings(mapping, quantity)),
    )


def warnings(mapping: Mapping, quantity: int, but: Order | None = None) -> list[str]:
    """What a person should look at before ordering: stale price, the same order shortly before, cost above face, cap, questions."""
    found = []
    product, now = mapping.product, timezone.now()
    if product.read_at and now - product.read_at > policies.STALE_WARNING:
        found.append(f"The price is {int((now - product.read_at).total_seconds() // 60)} minutes old.")
    same = Order.objects.filter(product=product, quantity=quantity, created_at__gte=now - timedelta(hours=24))
    twin = (
        same.exclude(state__in=NOT_SPENT)
        .exclude(pk__in=[but.pk] if but else [])
        .order_by("-created_at")
        .select_related("requested_by")
        .first()
    )
    if twin:
        minutes = int((now - twin.created_at).total_seconds() // 60)
        found.append(
            f"Same product and quantity ordered {minutes} min ago by {twin.requested_by or 'the system'}: {twin}."
        )
    if product.cost_currency == product.currency and (product.cost_minor or 0) > product.denomination_minor:
        found.append("The cost is above the face value.")
    gate = gate_of(mapping.account, product.cost_currency)
    if gate and but is None and (product.cost_minor or 0) * quantity > gate.left_minor:
        found.append(f"{gate.said(mapping.account)} This order does not fit into today.")
    if unchecked := questions_left(mapping.account, before="money"):
        found.append(f"Buyer's questions about {mapping.account} that nobody has checked: {unchecked}.")
    return found


def draft_order(
    *,
    by: User | None,
    mapping: Mapping,
    quantity: int,
    client_order_id: str,
    purpose: str = "",
    shown_unit_cost_minor: int | None = None,
) -> Order:
    """Make a draft under the price shown; Refused with the old and new price if it moved since the page was shown (R15, R19)."""
    if by is not None:
        check_can(by, Permission.ORDER_CREATE)
    client_order_id = client_order_id.strip()
    policies.check_client_order_id(client_order_id)
    terms = quote(by=by, mapping=mapping, quantity=quantity)
    if shown_unit_cost_minor is not None and terms.unit_cost_minor != shown_unit_cost_minor:
        raise Refused(price_moved_sentence(shown_unit_cost_minor, terms.unit_cost_minor, terms.currency))
    sku, product = mapping.sku, mapping.product
    try:
        with transaction.atomic():
            order = Order.objects.create(
                client_order_id=client_order_id,
                sku=sku,
                mapping=mapping,
                product=product,
                account=mapping.account,
                sold_region=sku.region,
                sold_currency=sku.currency,
                sold_face_minor=sku.face_minor,
                region=product.region,
                face_currency=product.currency,
                face_minor=product.denomination_minor,
                quantity=quantity,
                unit_cost_minor=terms.unit_cost_minor,
                cost_currency=terms.currency,
                price_read_at=terms.read_at,
                purpose=purpose.strip(),
                requested_by=by,
                created_at=timezone.now(),
            )
            record("order.drafted", by=by, subject=order, reason=purpose.strip())
    except IntegrityError:
        raise Refused(
            f"{client_order_id} has an order already. No second order was made. Open it, or use another id."
        ) from None
    return order


def price_moved_sentence(before: int, after: int, currency: str) -> str:
    before_text, after_text = postings.amount_text(before, currency), postings.amount_text(after, currency)
    moved = f"The price moved from {before_text} to {after_text} since you saw it."
    return f"{moved} Nothing was ordered. Check the new price and place it again."


def submit_order(*, by: User | None, order: Order, shown_unit_cost_minor: int | None = None) -> Order:
    """Send a draft on: straight to placing when no rule asks for a second person, else to approval (R35).

    Raises Refused for another person's draft, when the mapping no longer fits, the balance is too small, or the price
    rose; `shown_unit_cost_minor` is the new price the requester saw and agrees to.
    """
    if by is not None:
        check_can(by, Permission.ORDER_CREATE)
        policies.check_own_draft(by, order)
    terms = quote(by=by, mapping=order.mapping, quantity=order.quantity)
    if terms.unit_cost_minor > order.unit_cost_minor:
        if shown_unit_cost_minor != terms.unit_cost_minor:
            raise Refused(price_moved_sentence(order.unit_cost_minor, terms.unit_cost_minor, terms.currency))
        agree_to_price(by, order, terms)
    rule = approvals.rule_for(
        amount_minor=order.max_total_minor, spent_today_minor=terms.spent_today_minor, currency=order.cost_currency
    )
    if by is None and order.max_total_minor > approvals.limits_for(order.cost_currency)[0]:
        raise Refused("An order above the limit needs a person who asks for it. Nothing was ordered.")
    with transaction.atomic():
        if not rule or by is None:
            release_for_placing(by=by, order=order)
            return order
        request = approvals.ask(
            by=by,
            subject=order,
            content=approval_content(order),
            amount_minor=order.max_total_minor,
            currency=order.cost_currency,
            rule=rule,
            reason=order.purpose,
        )
        transition(order, "pending_approval", by=by, machine=ORDER, reason=rule, approval=request)
    return order


def agree_to_price(by: User | None, order: Order, terms: Quote) -> None:
    """Put the present price on a draft; StaleState if the draft changed meanwhile (R15)."""
    before = postings.amount_text(order.unit_cost_minor, order.cost_currency)
    after = postings.amount_text(terms.unit_cost_minor, terms.currency)
    values = {"unit_cost_minor": terms.unit_cost_minor, "price_read_at": terms.read_at, "problem": ""}
    with transaction.atomic():
        change_draft(order, values)
        record("order.repriced", by=by, subject=order, before=before, after=after)


def change_quantity(*, by: User, order: Order, quantity: int) -> Quote:
    """Put another quantity on a draft at the price of now; what was approved of it before is void (R15).

    Raises Refused for another person's draft or a quantity that can't be ordered, StaleState for what is no draft.
    """
    check_can(by, Permission.ORDER_CREATE)
    policies.check_own_draft(by, order)
    policies.check_is_draft(order)
    if quantity == order.quantity:
        raise Refused(f"The quantity is {quantity:,} already. Nothing was changed.")
    terms = quote(by=by, mapping=order.mapping, quantity=quantity)
    before = order.quantity
    values = {
        "quantity": quantity,
        "unit_cost_minor": terms.unit_cost_minor,
        "price_read_at": terms.read_at,
        "problem": "",
        "approval": None,
        "approved_at": None,
    }
    with transaction.atomic():
        change_draft(order, values)
        record("order.quantity_changed", by=by, subject=order, before=before, after=quantity)
    return terms


def change_draft(order: Order, values: dict[str, Any]) -> None:
    """Write `values` to the draft that was read; StaleState if it changed meanwhile."""
    draft = Order.objects.filter(pk=order.pk, state="draft", version=order.version)
    if draft.update(version=order.version + 1, **values) != 1:
        raise StaleState(f"{order} was changed by someone else meanwhile. Nothing was ordered. Look at it again.")
    order.version += 1
    for name, value in values.items():
        setattr(order, name, value)


def withdraw_order(*, by: User, order: Order) -> None:
    """The requester takes an order back from approval; it is a draft again."""
    if order.requested_by_id != by.pk:
        raise Refused("Only the person who asked can take the request back. Nothing was changed.")
    with transaction.atomic():
        if order.approval and order.approval.state == "open":
            approvals.withdraw(by=by, request=order.approval)
        transition(order, "draft", by=by, machine=ORDER, event="order.withdrawn", approval=None)


def cancel_order(*, by: User | None, order: Order, reason: str) -> None:
    """Cancel a draft or a queued order; impossible once it is being sent. Releases the held money."""
    if by is not None:
        policies.check_can_cancel(by, order)
    with transaction.atomic():
        attempt = order.attempts.filter(state="ready").first()
        if order.state == "approved" and attempt is None:
            raise Refused("This order is being sent and can't be cancelled any more. Nothing was changed.")
        transition(order, "cancelled", by=by, machine=ORDER, reason=reason)
        if attempt:
            transition(attempt, "void", by=by, machine=ATTEMPT, reason=reason)
            free_lane(attempt)
            postings.release_order(order_id=str(order.pk), reason=f"Cancelled: {reason}", actor=str(by or "System"))
