"""What a contract probe does at a supplier account: each step acts through the desk itself and says what it saw.

A step returns its evidence as a sentence, raises StepFailed, or raises NotYet to be asked again. It may be begun again
after its process died, so whatever must not happen twice is looked for first.
"""

from __future__ import annotations

import secrets
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from procurement.bookkeeping import deposits, postings
from procurement.catalog.models import Mapping, Product, Sku
from procurement.catalog.services.refreshing import refresh_products
from procurement.catalog.services.validating import fields_of
from procurement.onboarding.models import ProbeRun
from procurement.orders.models import Attempt, Order
from procurement.suppliers.clients import client_for
from procurement.suppliers.clients.problems import KeyRefused, NotFound
from procurement.suppliers.clients.types import (
    Subject,
)
from procurement.suppliers.models import WebhookEvent
from procurement.suppliers.services import read_balance
from procurement.suppliers.states import REFUSED_RESULTS
from procurement.vault import Secret

NO_SUCH_ORDER = "no-such-order"


class StepFailed(Exception):
    """The step did not show what it must; the message says what was seen instead."""


class NotOffered(Exception):
    """This supplier has nothing of the kind, so the step is not run; the message says so."""


class NotYet(Exception):
    """Nothing to see yet: ask again, at `retry_at` (UTC) if known. The message is the failure if patience ends."""

    def __init__(self, otherwise: str, retry_at: datetime | None = None) -> None:
        super().__init__(otherwise)
        self.retry_at = retry_at


def subject_of(run: ProbeRun, step: str) -> Subject:
    """How the calls of one step are found among all others."""
    return (f"onboarding.{step.replace(' ', '_')}", str(run.pk))


def order_of(run: ProbeRun) -> Order | None:
    """The run's only order, once it is drafted."""
    rows = Order.objects.select_related("account", "product", "mapping__sku")
    return rows.filter(client_order_id=run.client_order_id).first()


def the_order(run: ProbeRun) -> Order:
    order = order_of(run)
    if order is None:
        raise StepFailed("an earlier step left no order to work on")
    return order


def the_attempt(run: ProbeRun) -> Attempt:
    attempt = Attempt.objects.filter(order__client_order_id=run.client_order_id).first()
    if attempt is None:
        raise StepFailed("no attempt of the order was stored")
    return attempt


def refused_events(run: ProbeRun) -> QuerySet[WebhookEvent]:
    """Messages of this account that were refused since the run began; what a refused one is about is not believed."""
    return WebhookEvent.objects.filter(
        account=run.account, result__in=REFUSED_RESULTS, received_at__gte=run.started_at
    ).order_by("received_at")


def in_settlement_currency(run: ProbeRun, minor: int) -> str:
    return postings.amount_text(minor, run.account.settlement_currency)


# --- reading ---


def read_money(run: ProbeRun) -> str:
    """The key is good and the balance readable."""
    reading = read_balance(run.account)
    currency = run.account.settlement_currency
    available = next((one.available for one in reading.balances if one.currency == currency), None)
    if available is None:
        raise StepFailed(f"the balance has no {currency}")
    tier = f", tier {reading.tier_name}" if reading.tier_name else ""
    return f"{in_settlement_currency(run, available)}{tier}"


def read_products(run: ProbeRun) -> str:
    """The catalogue can be read, with a region and a face value for each product."""
    result = refresh_products(run.account)
    found = list(run.account.products.filter(active=True).order_by("external_id"))
    run.products, run.read_at = [fields.model_dump() for fields in fields_of(found)], timezone.now()
    run.save(update_fields=["products", "read_at"])
    return f"{result.count} products in {len({product.region for product in found})} regions"


def ask_for_nothing(run: ProbeRun) -> str:
    """An order that is not there is refused as not found: a look at the supplier's errors that costs nothing."""
    try:
        client_for(run.account).read_order(NO_SUCH_ORDER, subject_of(run, "unknown order"))
    except NotFound as refusal:
        return f"refused as {refusal.code or 'not found'}"
    raise StepFailed("an order that can't exist was found")


def use_a_wrong_key(run: ProbeRun) -> str:
    """A key that is none is refused. The account's own key and state are not touched."""
    try:
        client_for(run.account, key=Secret(f"not-a-key-{secrets.token_hex(12)}")).read_balance()
    except KeyRefused as refusal:
        return f"refused as {refusal.code or 'unauthorized'}"
    raise StepFailed("a key made up at random was accepted")


# --- buying one code ---


def open_books(run: ProbeRun) -> str:
    """A ledger without movements opens with what the supplier holds; otherwise it stays as it is."""
    account, currency = run.account, run.account.settlement_currency
    settled = postings.settled_balance(account.code, currency)
    held = account.snapshots.filter(currency=currency).order_by("-taken_at", "-pk").first()
    if settled or held is None or held.available <= 0:
        return f"the ledger holds {in_settlement_currency(run, settled)}"
    deposits.open_book(
        account=account,
        amount_minor=held.available,
        currency=currency,
        credited_on=timezone.now().date(),
        reference=f"OPENING-{account.code}-{currency}",
    )
    return f"{in_settlement_currency(run, held.available)} booked as the opening deposit"


def map_sku(run: ProbeRun) -> str:
    """The cheapest product in stock is mapped to a SKU of the same region, face value and currency."""
    if run.mapping is None:
        product = cheapest(run)
        active = Mapping.objects.filter(product=product, state="active", sku__active=True)
        run.mapping = active.select_related("sku", "product").first() or make_mapping(product)
        run.save(update_fields=["mapping"])
    product = run.mapping.product
    face = postings.amount_text(product.denomination_minor, product.currency)
    return f"{run.mapping.sku} to {product.external_id}, {product.region}, face {face}"


def cheapest(run: ProbeRun) -> Product:
    currency = run.account.settlement_currency
    offered = run.account.products.filter(active=True, cost_minor__gt=0, cost_currency=currency, stock__gt=0)
    product = offered.order_by("cost_minor", "external_id").first()
    if product is None:
        raise StepFailed("no product is in stock")
    return product


def make_mapping(product: Product) -> Mapping:
    """A SKU of the probe's own, so that no storefront SKU is touched."""
    sku, _ = Sku.objects.get_or_create(
        code=f"PROBE-{product.account.code}-{product.pk}".upper(),
        defaults={
            "title": f"Contract probe: {product.name}"[:200],
            "region": product.region[:2],
            "currency": product.currency,
            "face_minor": product.denomination_minor,
        },
    )
    number, now = sku.mappings.count() + 1, timezone.now()
    return Mapping.objects.create(
        sku=sku,
        product=product,
        account=product.account,
        number=number,
        state="active",
        drafted_at=now,
        activated_at=now,
    )
