"""When a supplier may be asked: the one answer for orders that are placed, followed and found out about."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.utils import timezone

from procurement.orders.models import Attempt, Order, UnclaimedOrder
from procurement.suppliers import shared_clock
from procurement.suppliers.budget import ALL, ORDERS, POLLS, limit_for, step, use_of
from procurement.suppliers.clients.types import SupplierClient
from procurement.suppliers.key_window import key_window
from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.states import KEY_REFUSED, LIVE

RESEND_DELAYS = (5, 15, 45, 120, 300, 900)
LOOK_AGAIN = timedelta(minutes=1)
EARLY = 0.9


def when_free(account: SupplierAccount, *, paying: bool) -> datetime | None:
    """None = now. Else when to come back: the supplier said so, the account takes no such call, or our limits are used up.

    A paused account takes no order but is still asked; one that refuses our key is not asked either.
    """
    if account.blocked_until and account.blocked_until > shared_clock.now():
        return shared_clock.here(account.blocked_until)
    if account.state == KEY_REFUSED or (paying and account.state != LIVE):
        return timezone.now() + LOOK_AGAIN
    wanted = {ORDERS if paying else POLLS, ALL}
    free_at = max((use.free_at for use in use_of(account) if use.name in wanted and use.free_at), default=None)
    return shared_clock.here(free_at) if free_at else None


def held_by(order: Order) -> UnclaimedOrder | None:
    """The possible second purchase because of which an order of the same SKU is not sent (4.4, late surprise)."""
    found = UnclaimedOrder.objects.filter(
        state="open", second_of__sku=order.sku_id, second_of__created_at__lt=order.created_at
    )
    return found.exclude(second_of=order).order_by("first_seen_at").first()


def obstacle(order: Order) -> datetime | None:
    """When to come back because this order may not be sent now; None if the way is free."""
    if order.state == "approved" and held_by(order):
        return timezone.now() + LOOK_AGAIN
    free_at = when_free(order.account, paying=True)
    return None if free_at is None else free_at + turn(order)


def turn(order: Order) -> timedelta:
    """How much later than the first a waiting order comes back: five hundred that all came at once would get in each other's way.

    A little early, so that no place stays unused when one ahead was cancelled.
    """
    if order.state != "approved" or order.account.state != LIVE:
        return timedelta(0)
    return step(order.account) * ahead_of(order) * EARLY


def ahead_of(order: Order) -> int:
    """How many approved orders of its account are sent before this approved one."""
    return Order.objects.filter(account=order.account, state="approved", approved_at__lt=order.approved_at).count()


def wait_words(order: Order, ahead: int) -> str:
    """How long a queued order waits, such as "about 3 minutes at 10 orders a minute"; empty when nobody can say (R44)."""
    limit = limit_for(order.account, ORDERS)
    if order.account.state != LIVE or not limit.calls:
        return ""
    now = timezone.now()
    wait = (when_free(order.account, paying=True) or now) - now + step(order.account) * ahead
    minutes = -(-wait // timedelta(minutes=1))
    rate = f"at {round(60 * limit.calls / limit.seconds)} orders a minute"
    return f"about {minutes} minutes {rate}" if minutes > 1 else f"less than a minute {rate}"


def may_send_again(attempt: Attempt, client: SupplierClient) -> bool:
    """Only a supplier that takes our key, and only inside the account's key window, may see the same order twice (R21, R31)."""
    if not client.idempotent or attempt.sent_at is None:
        return False
    return timezone.now() < attempt.sent_at + key_window(attempt.account)


def resend_delay(tries: int) -> timedelta:
    """5, 15, 45 s, 2, 5, 15 min at most, with full jitter: many orders of one outage do not come back together."""
    longest = RESEND_DELAYS[min(max(tries, 1), len(RESEND_DELAYS)) - 1]
    return timedelta(seconds=1 + secrets.randbelow(longest))
