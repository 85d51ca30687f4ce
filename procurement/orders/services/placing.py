"""Placing: one paid POST for each approved order.

Three commits stand around the send. The first (with the approval) stores the attempt: its key and its very bytes. The
second says "sending" before anything leaves. The third stores the verdict. A crash between the second and the third leaves
an attempt past its deadline, which becomes unconfirmed and never ready again.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from procurement.audit.services import record
from procurement.bookkeeping import postings
from procurement.bookkeeping.volume import take_volume
from procurement.faultpoints import faultpoint
from procurement.orders.models import Attempt, Lane, Order
from procurement.orders.services.approved import freeze, refuse_changed
from procurement.orders.services.expiring import expire, is_stale
from procurement.orders.services.outcomes import back_to_draft, free_lane, mark_not_placed, mark_placed, mark_unknown
from procurement.orders.services.timing import held_by, may_send_again, obstacle, resend_delay, turn
from procurement.orders.states import ATTEMPT, ORDER
from procurement.staff.models import User
from procurement.states import transition
from procurement.suppliers.clients import client_for
from procurement.suppliers.clients.problems import SupplierProblem
from procurement.suppliers.clients.types import NotPlaced, Placed, PlaceRequest, SupplierClient, Unknown
from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.services import read_balance
from procurement.work.services import make_due

# A send takes at most 45 s; past this nobody is still waiting for the answer.
ANSWER_DEADLINE = timedelta(seconds=60)
REAP_AFTER = timedelta(seconds=30)
MAX_POSTPONEMENTS = 10
LANE_WAIT = timedelta(seconds=5)
FROZEN_LANE_WAIT = timedelta(minutes=1)
# Refusals of our own, before anything left this machine: they cost time and never a try (R44).
OWN_WAITS = frozenset({"waiting_for_limit", "account_not_live"})


def release_for_placing(*, by: User | None, order: Order, reason: str = "") -> Attempt:
    """First commit, inside the caller's transaction: hold the money, store key and bytes, queue the order (R20, R90, R96)."""
    key = secrets.token_hex(16)
    body = client_for(order.account).prepare_order(
        PlaceRequest(
            external_id=order.product.external_id,
            region=order.region,
            denomination=order.face_minor,
            face_currency=order.face_currency,
            quantity=order.quantity,
            client_order_id=order.client_order_id,
            idempotency_key=key,
        )
    )
    with transaction.atomic():
        attempt = Attempt.objects.create(
            order=order,
            account=order.account,
            number=order.attempts.count() + 1,
            idempotency_key=key,
            body=body,
            body_sha256=hashlib.sha256(body).hexdigest(),
            approved=freeze(order, body),
            created_at=timezone.now(),
        )
        take_volume(account=order.account, currency=order.cost_currency, amount_minor=order.max_total_minor)
        postings.hold_order(
            account_code=order.account.code,
            currency=order.cost_currency,
            order_id=str(order.pk),
            label=order.client_order_id,
            amount_minor=order.max_total_minor,
            actor=str(by or "System"),
        )
        transition(order, "approved", by=by, machine=ORDER, reason=reason, approved_at=timezone.now())
        make_due("order.place", str(order.pk))
    return attempt


def place_order(order_id: str) -> datetime | None:
    """The dispatcher's step for one order: send it, or find out why not; returns when to come back, or None when settled.

    Safe to run twice and by several workers: every step is a conditional update.
    """
    order = Order.objects.select_related("account", "product", "approval").get(pk=order_id)
    attempt = order.attempts.order_by("-number").first()
    if attempt is None or order.state not in {"approved", "placing", "unknown"}:
        return None
    if order.state == "placing":
        return reap(order, attempt)
    client = client_for(order.account)
    if order.state == "unknown" and not may_send_again(attempt, client):
        return None
    if order.state == "approved" and is_stale(order):
        expire(order)
        return None
    wait = obstacle(order)
    if wait is not None:
        return wait
    return send(order, attempt, client)


def reap(order: Order, attempt: Attempt) -> datetime | None:
    """An attempt past its deadline lost its worker: nobody knows what the supplier did. Never back to ready."""
    limit = (attempt.deadline or attempt.created_at) + REAP_AFTER
    if timezone.now() < limit:
        return limit
    mark_unknown(order, attempt, "The worker that sent it stopped before it could store the answer.")
    return timezone.now() if may_send_again(attempt, client_for(order.account)) else None


def take_lane(account: SupplierAccount, attempt: Attempt) -> bool:
    """One unresolved paid POST at a time where the supplier takes no key: only then can a lost answer be told apart."""
    Lane.objects.get_or_create(account=account)
    with transaction.atomic():
        # Holds the attempt's row: who cancels it meanwhile waits, and then frees the lane. A void attempt never gets it.
        if not Attempt.objects.filter(pk=attempt.pk, version=attempt.version).update(tries=attempt.tries):
            return False
        free = Lane.objects.filter(account=account, holder__isnull=True).update(holder=attempt, taken_at=timezone.now())
        mine = bool(free) or Lane.objects.filter(account=account, holder=attempt).exists()
    faultpoint("lane.looked_at")
    return mine


def lane_wait(account: SupplierAccount) -> timedelta:
    """Until the lane is looked at again: soon behind an order being sent, later behind an unconfirmed one."""
    frozen = Lane.objects.filter(account=account, holder__state__in=["unknown", "placed_no_id"]).exists()
    return FROZEN_LANE_WAIT if frozen else LANE_WAIT


def send(order: Order, attempt: Attempt, client: SupplierClient) -> datetime | None:
    """Second commit, the POST outside any transaction, third commit."""
    if not client.idempotent and not take_lane(order.account, attempt):
        return timezone.now() + lane_wait(order.account) + turn(order)
    before = balance_before(order)
    now, repeated = timezone.now(), attempt.state == "unknown"
    if refused_here(order, attempt, before):
        return None
    with transaction.atomic():
        if not repeated and held_by(order):
            return now + LANE_WAIT
        transition(order, "placing", by=None, machine=ORDER)
        transition(
            attempt,
            "sending",
            by=None,
            machine=ATTEMPT,
            tries=attempt.tries + 1,
            sent_at=attempt.sent_at or now,
            deadline=now + ANSWER_DEADLINE,
            balance_before_minor=before if attempt.balance_before_minor is None else attempt.balance_before_minor,
        )
    faultpoint("placing.sending.committed")
    outcome = client.place_order(bytes(attempt.body), subject=("orders.attempt", str(attempt.pk)))
    faultpoint("placing.answered")
    if repeated and isinstance(outcome, NotPlaced):
        return still_unconfirmed(order, attempt, client, outcome)
    return store_outcome(order, attempt, client, outcome)


def balance_before(order: Order) -> int | None:
    """The supplier's own balance just before a paid POST, in minor units; None if it could not be read (R85)."""
    try:
        reading = read_balance(order.account)
    except SupplierProblem:
        return None
    return next((b.available for b in reading.balances if b.currency == order.cost_currency), None)


def refused_here(order: Order, attempt: Attempt, balance: int | None) -> bool:
    """Whether it must not be sent after all; then it is ended here, or stays unconfirmed if it was sent before (R15, R90)."""
    changed = refuse_changed(order, attempt)
    if attempt.state != "ready":
        return bool(changed)
    sentence = changed or too_little(order, balance)
    if sentence:
        mark_not_placed(order, attempt, sentence)
    return bool(sentence) or price_rose(order, attempt)


def too_little(order: Order, balance: int | None) -> str:
    """The sentence of a supplier's balance below what the order may cost, both in minor units; empty if it suffices."""
    if balance is None or balance >= order.max_total_minor:
        return ""
    has, needs = (postings.amount_text(minor, order.cost_currency) for minor in (balance, order.max_total_minor))
    return f"The supplier's balance is {has}, the order may cost {needs}. It was not sent."


def price_rose(order: Order, attempt: Attempt) -> bool:
    """Send an order back to its buyer when the product costs more now than was approved (R15)."""
    cost, currency = order.product.cost_minor, order.cost_currency
    if cost is None or cost <= order.unit_cost_minor:
        return False
    old, new = postings.amount_text(order.unit_cost_minor, currency), postings.amount_text(cost, currency)
    sentence = f"The price moved from {old} to {new} after the approval. It was not sent."
    back_to_draft(order, attempt, sentence, before=old, after=new)
    return True


def store_outcome(
    order: Order, attempt: Attempt, client: SupplierClient, outcome: Placed | NotPlaced | Unknown
) -> datetime | None:
    """Third commit: the verdict, by evidence."""
    if isinstance(outcome, Placed):
        mark_placed(order, attempt, outcome)
        return None
    if isinstance(outcome, Unknown):
        return resend_or_freeze(order, attempt, client, outcome)
    if outcome.permanent or (attempt.tries >= MAX_POSTPONEMENTS and outcome.reason_code not in OWN_WAITS):
        mark_not_placed(order, attempt, outcome.sentence)
        return None
    return postpone(order, attempt, client, outcome)


def resend_or_freeze(order: Order, attempt: Attempt, client: SupplierClient, outcome: Unknown) -> datetime | None:
    """Unconfirmed; with a key the same bytes go again later, without one a person decides (R26, R31)."""
    mark_unknown(order, attempt, outcome.sentence, taken=outcome.placed_no_id and not client.idempotent)
    if not may_send_again(attempt, client):
        return None
    return timezone.now() + resend_delay(attempt.tries)


def still_unconfirmed(order: Order, attempt: Attempt, client: SupplierClient, refusal: NotPlaced) -> datetime | None:
    """A "no" to a repetition, or none of it sent, says nothing of the sending before, which may have been taken (R26)."""
    mark_unknown(order, attempt, f"{refusal.sentence} Whether the sending before it was taken is still not known.")
    if refusal.permanent or not may_send_again(attempt, client):
        return None
    return refusal.retry_at or timezone.now() + resend_delay(attempt.tries)


def postpone(order: Order, attempt: Attempt, client: SupplierClient, outcome: NotPlaced) -> datetime:
    """Nothing was bought and it may be tried again: told to wait, or nothing left this machine."""
    retry_at = outcome.retry_at or timezone.now() + resend_delay(attempt.tries)
    tries = attempt.tries - 1 if outcome.reason_code in OWN_WAITS else attempt.tries
    why = {"why": outcome.sentence}
    with transaction.atomic():
        transition(attempt, "ready", by=None, machine=ATTEMPT, verdict=outcome.sentence, tries=tries, facts=why)
        transition(order, "approved", by=None, machine=ORDER, problem=outcome.sentence, facts=why)
        free_lane(attempt)
    return retry_at


def note_retry_by_person(order: Order, by: User) -> None:
    """Leave on the record that a person asked for an earlier look; the state machine alone decides what happens."""
    record("order.checked", by=by, subject=order)
    make_due("order.place" if order.state in {"approved", "placing", "unknown"} else "order.check", str(order.pk))
