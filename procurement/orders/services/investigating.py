"""Finding out what became of an unconfirmed order: readings on a clock, binding on proof, people after a day."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from procurement.errors import Refused, StaleState
from procurement.orders.evidence import BEFORE_SENDING, PATIENCE, evidence_of, in_question, proposals_for, unknown_since
from procurement.orders.models import Attempt, Order
from procurement.orders.services.outcomes import overtake_proposal
from procurement.orders.services.resolving import bind, read_candidate
from procurement.orders.services.timing import when_free
from procurement.orders.services.unclaimed import note_listed
from procurement.orders.states import ORDER, UNCONFIRMED
from procurement.states import transition
from procurement.suppliers.clients import SupplierProblem, client_for
from procurement.suppliers.models import BalanceSnapshot
from procurement.suppliers.services import read_balance

# Every minute while a supplier may still book or answer late; then the readings only follow what people do about it.
OFTEN, SELDOM, OFTEN_FOR = timedelta(seconds=60), timedelta(minutes=5), timedelta(hours=1)
# Orders of one account share a reading this young.
FRESH = timedelta(seconds=50)
PEOPLE_AFTER = timedelta(hours=24)


def is_doubtful(order: Order) -> bool:
    """Whether nobody knows the supplier's order for this one."""
    return order.state in UNCONFIRMED and not order.remote_id


def investigate(order_id: str) -> datetime | None:
    """One look at everything that may tell; when to look again, or None once it is decided (E1 to E3 of the evidence)."""
    order = Order.objects.select_related("account", "product").get(pk=order_id)
    attempt = in_question(order)
    if not is_doubtful(order) or attempt is None or attempt.sent_at is None:
        return None
    call_people(order)
    wait = when_free(order.account, paying=False)
    if wait is not None:
        return wait
    try:
        look_around(order, attempt)
        if bind_if_proven(order, attempt):
            return None
    except SupplierProblem as problem:
        return problem.retry_at or next_look(order)
    return next_look(order)


def next_look(order: Order) -> datetime:
    now = timezone.now()
    return now + (OFTEN if now - unknown_since(order) < OFTEN_FOR else SELDOM)


def call_people(order: Order) -> None:
    """After a day it is for people alone: nothing is sent again, and no longer is it called unconfirmed (row 17)."""
    if order.state == "unknown" and timezone.now() - unknown_since(order) >= PEOPLE_AFTER:
        why = "nobody knew for 24 hours whether the supplier took it"
        transition(order, "manual_review", by=None, machine=ORDER, facts={"why": why})


def look_around(order: Order, attempt: Attempt) -> None:
    """Read the balance, and where the supplier has lists what it made at that time or under our id; raises SupplierProblem."""
    latest = BalanceSnapshot.objects.filter(account=order.account, currency=order.cost_currency)
    if not latest.filter(taken_at__gt=timezone.now() - FRESH).exists():
        read_balance(order.account)
    client = client_for(order.account)
    if not client.lists_orders or attempt.sent_at is None:
        return
    until = (attempt.deadline or attempt.sent_at) + PATIENCE
    listed = client.list_orders(attempt.sent_at - BEFORE_SENDING, until) or ()
    mine = client.find_order(order.client_order_id)
    note_listed(order.account, [*listed, *([mine] if mine else [])], about=order)


def bind_if_proven(order: Order, attempt: Attempt) -> bool:
    """Bind without people, only on the strict rule and only after reading the supplier's order once more."""
    proposal = proposals_for(evidence_of(order))[0]
    if not proposal.by_system:
        return False
    try:
        remote = read_candidate(order, proposal.remote_id)
        with transaction.atomic():
            overtake_proposal(order)
            reason = f"{proposal.remote_id} matches in every field, and nothing else fits."
            bind(order, attempt, None, reason, remote)
    except (Refused, StaleState):
        return False
    return True
