"""The whole job once, at one supplier account: map, order once, hear of it, keep the codes, reconcile (R106).

It runs against any account, so it is also the check of a real sandbox before an account goes live. Each step returns its
evidence as a sentence or raises StepFailed; nothing is skipped in silence.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from django.utils import timezone

from procurement.bookkeeping import postings
from procurement.catalog.models import Mapping, Product, Sku
from procurement.catalog.services.refreshing import refresh_products
from procurement.errors import DomainError
from procurement.orders.models import Attempt, Order
from procurement.orders.services import drafting
from procurement.reconciliation.models import Difference
from procurement.reconciliation.services import reconcile_day
from procurement.suppliers.clients import client_for
from procurement.suppliers.clients.types import NotPlaced, Placed, SupplierClient, Verdict
from procurement.suppliers.models import SupplierAccount, WebhookEvent
from procurement.suppliers.services import read_balance
from procurement.work.runner import run_due

PATIENCE_SECONDS = 90.0
T = TypeVar("T")


class StepFailed(Exception):
    """A step did not show what it must; the message says what was seen instead."""


@dataclass
class Flow:
    """What the steps hand on to each other."""

    account: SupplierAccount
    patience: float = PATIENCE_SECONDS
    product: Product | None = None
    mapping: Mapping | None = None
    order: Order | None = None

    @property
    def currency(self) -> str:
        return self.account.settlement_currency


Step = Callable[[Flow], str]


def read_money(flow: Flow) -> str:
    """The key is good and the balance readable; a ledger without movements opens with what the supplier holds."""
    reading = read_balance(flow.account)
    available = next((b.available for b in reading.balances if b.currency == flow.currency), None)
    if available is None:
        raise StepFailed(f"the balance has no {flow.currency}")
    opened = ""
    if available > 0 and postings.settled_balance(flow.account.code, flow.currency) == 0:
        today = timezone.now().date()
        reference = f"OPENING-{flow.account.code}-{flow.currency}"
        postings.deposit(
            by=None,
            account=flow.account,
            amount_minor=available,
            currency=flow.currency,
            credited_on=today,
            reference=reference,
        )
        opened = ", booked as the opening deposit"
    tier = f", tier {reading.tier_name}" if reading.tier_name else ""
    return f"balance {postings.amount_text(available, flow.currency)}{tier}{opened}"


def read_products(flow: Flow) -> str:
    """The catalogue can be read; the cheapest product in stock is chosen for the test order."""
    result = refresh_products(flow.account)
    offered = flow.account.products.filter(active=True, cost_minor__gt=0, cost_currency=flow.currency, stock__gt=0)
    flow.product = offered.order_by("cost_minor", "external_id").first()
    if flow.product is None:
        raise StepFailed("no product is in stock")
    regions = flow.account.products.filter(active=True).values("region").distinct().count()
    return f"{result.count} products in {regions} regions; chose {flow.product.external_id}"


def map_sku(flow: Flow) -> str:
    """The product is mapped to a SKU of the same region, denomination and currency."""
    product = must(flow.product)
    flow.mapping = (
        Mapping.objects.filter(product=product, state="active", sku__active=True)
        .select_related("sku", "product", "account")
        .first()
    )
    if flow.mapping is None:
        flow.mapping = make_mapping(product)
    mapping = flow.mapping
    face = postings.amount_text(product.denomination_minor, product.currency)
    return f"{mapping.sku} to {product.external_id}, {product.region}, face {face}"


def make_mapping(product: Product) -> Mapping:
    """A SKU of the flow's own, so that no storefront SKU is touched."""
    sku, _ = Sku.objects.get_or_create(
        code=f"FLOW-{product.account.code}-{product.pk}".upper(),
        defaults={
            "title": f"Sandbox flow: {product.name}"[:200],
            "region": product.region[:2],
            "currency": product.currency,
            "face_minor": product.denomination_minor,
        },
    )
    number = sku.mappings.count() + 1
    now = timezone.now()
    return Mapping.objects.create(
        sku=sku,
        product=product,
        account=product.account,
        number=number,
        state="active",
        drafted_at=now,
        activated_at=now,
    )


def place_one(flow: Flow) -> str:
    """One code is ordered and the supplier takes it once."""
    name = f"FLOW-{timezone.now():%Y%m%d-%H%M%S}-{flow.account.code}"
    flow.order = drafting.draft_order(
        by=None, mapping=must(flow.mapping), quantity=1, client_order_id=name, purpose="Sandbox flow"
    )
    drafting.submit_order(by=None, order=flow.order)
    order = wait_for(flow, lambda: moved_past(flow, {"draft", "approved", "placing"}), "the order was not sent")
    if not order.remote_id:
        raise StepFailed(f"the order is “{order.status.label}”: {order.problem}")
    return f"{order} taken as {order.remote_id}, {postings.amount_text(order.total_cost_minor or order.max_total_minor, flow.currency)}"


def send_again(flow: Flow) -> str:
    """The same order can't be bought twice: by the same key and bytes where there is a key, else by never sending again."""
    order = must(flow.order)
    attempt = Attempt.objects.get(order=order)
    client = client_for(flow.account)
    if not client.idempotent:
        if attempt.tries != 1:
            raise StepFailed(f"the order was sent {attempt.tries} times to a supplier that takes no key")
        return "sent once; this supplier takes no key, so nothing is ever sent again"
    answer = wait(flow.patience, lambda: sent_again(client, attempt))
    if not isinstance(answer, Placed) or answer.remote_id != order.remote_id:
        raise StepFailed(f"the same key and bytes gave another answer: {answer}")
    return f"the same key and bytes gave {answer.remote_id} again"


def sent_again(client: SupplierClient, attempt: Attempt) -> Verdict | None:
    """The supplier's answer to the same bytes, or None while our own limit does not let them go."""
    answer = client.place_order(bytes(attempt.body), subject=("orders.attempt", str(attempt.pk)))
    waits = isinstance(answer, NotPlaced) and answer.reason_code == "waiting_for_limit"
    return None if waits else answer


def hear_webhook(flow: Flow) -> str:
    """The supplier's webhook arrives, its signature holds, and it is applied."""
    order = must(flow.order)

    def applied() -> WebhookEvent | None:
        run_due(limit=10)
        return WebhookEvent.objects.filter(
            account=flow.account, remote_order_id=order.remote_id, result="applied"
        ).first()

    event = wait(flow.patience, applied)
    if event is None:
        seen = WebhookEvent.objects.filter(account=flow.account, remote_order_id=order.remote_id).first()
        raise StepFailed(
            f"an event came but is “{seen.status.label}”" if seen else "no webhook came; is its address registered?"
        )
    return f"{event.event_type} says {event.remote_status}, signature good, applied"


def keep_codes(flow: Flow) -> str:
    """The codes are fetched, sealed and counted."""
    order = wait_for(flow, lambda: moved_past(flow, {"placed", "paid", "delivered"}), "the codes did not come")
    if order.state != "codes_stored":
        raise StepFailed(f"the order is “{order.status.label}”: {order.problem}")
    code = order.codes.get()
    return f"1 of 1 code sealed, shown as ••••-••••-{code.last4}, region {code.region or 'not stated'}"


def reconcile(flow: Flow) -> str:
    """The day's books agree with the supplier about this order."""
    order = must(flow.order)
    day = reconcile_day(by=None, account=flow.account, currency=flow.currency, day=timezone.now().date())
    found = Difference.objects.filter(day=day, order=order, gone_at__isnull=True).first()
    if found:
        raise StepFailed(found.sentence)
    theirs = "not known" if day.theirs_minor is None else postings.amount_text(day.theirs_minor, flow.currency)
    return f"ours {postings.amount_text(day.ours_minor, flow.currency)}, theirs {theirs}: {day.status.label.lower()}"


STEPS: tuple[tuple[str, Step], ...] = (
    ("balance", read_money),
    ("products", read_products),
    ("mapping", map_sku),
    ("order", place_one),
    ("no second purchase", send_again),
    ("webhook", hear_webhook),
    ("codes", keep_codes),
    ("reconciliation", reconcile),
)


def run_flow(account: SupplierAccount, patience: float = PATIENCE_SECONDS) -> Iterator[tuple[str, str]]:
    """Each step's name with its evidence, as it happens; StepFailed ends it with the step's name in front."""
    flow = Flow(account, patience)
    for name, step in STEPS:
        try:
            evidence = step(flow)
        except StepFailed as failure:
            raise StepFailed(f"{name}: {failure}") from None
        except DomainError as refusal:
            raise StepFailed(f"{name}: {refusal.sentence}") from None
        yield name, evidence


def must(value: T | None) -> T:
    if value is None:
        raise StepFailed("an earlier step left nothing to work on")
    return value


def moved_past(flow: Flow, states: set[str]) -> Order | None:
    """The order once it has left `states`, after doing what work is due (a worker may do it as well)."""
    run_due(limit=10)
    order = must(flow.order)
    order.refresh_from_db()
    return None if order.state in states else order


def wait_for(flow: Flow, look: Callable[[], Order | None], otherwise: str) -> Order:
    found = wait(flow.patience, look)
    if found is None:
        raise StepFailed(f"{otherwise} within {flow.patience:.0f} s")
    return found


def wait(patience: float, look: Callable[[], T | None]) -> T | None:
    """Look every half second until there is something or patience ends."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.5)
    return None
