"""One box that takes any id: orders by each of their ids, codes by last four or in full, cases, claims, SKUs, products.

A full code is looked up by its keyed fingerprint: nothing is opened, and the text travels in a POST body only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db.models import Q
from django.urls import reverse

from procurement.catalog.models import Product, Sku
from procurement.claims.models import Case, Claim
from procurement.orders.models import Attempt, Code, Order
from procurement.orders.queries import find_codes
from procurement.staff.access import may
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.suppliers.models import WebhookEvent
from procurement.vault import normalise_code

PER_KIND = 5
LAST4 = re.compile(r"[A-Z0-9]{4}")
FULL_CODE = re.compile(r"[A-Z0-9]{12}")
CASE_NUMBER = re.compile(r"c-?([0-9]{1,9})", re.IGNORECASE)


@dataclass(frozen=True)
class Hit:
    """One thing found: what it is, where it is, and why it matched."""

    kind: str
    label: str
    why: str
    url: str


def looks_like_code(text: str) -> bool:
    """Twelve letters and digits, however grouped: treated as a code, so never repeated in a page, URL or log."""
    return bool(FULL_CODE.fullmatch(normalise_code(text))) and any(char.isdigit() for char in text)


def order_hit(order: Order, why: str) -> Hit:
    return Hit("Orders", order.client_order_id, why, reverse("orders:order_detail", args=[order.pk]))


def orders_called(text: str) -> Q:
    """Orders with exactly this id of ours, the supplier's, an attempt's or the customer's: each part has an index."""
    return (
        Q(client_order_id__in={text, text.upper(), text.lower()})
        | Q(remote_id=text)
        | Q(pk__in=Attempt.objects.filter(idempotency_key=text).values("order"))
        | Q(pk__in=Code.objects.filter(customer_order=text).values("order"))
    )


def find_orders(text: str) -> Iterable[Hit]:
    rows = list(Order.objects.filter(orders_called(text)).order_by("-created_at")[:PER_KIND])
    if not rows and len(text) >= 3:
        near = Q(client_order_id__icontains=text) | Q(remote_id__icontains=text)
        rows = list(Order.objects.filter(near).order_by("-created_at")[:PER_KIND])
    for order in rows:
        why = (
            f"supplier order id {order.remote_id}"
            if order.remote_id and text.lower() in order.remote_id.lower()
            else order.status.label
        )
        yield order_hit(order, why)


def code_hit(code: Code, case: Case | None) -> Hit:
    if case:
        return Hit(
            "Codes", f"…{code.last4} in {case}", f"open case {case}", reverse("claims:case_detail", args=[case.pk])
        )
    url = f"{reverse('orders:order_detail', args=[code.order_id])}?last4={code.last4}#code-{code.pk}"
    return Hit("Codes", f"…{code.last4} in {code.order}", f"last four {code.last4}", url)


def find_code_hits(text: str) -> Iterable[Hit]:
    codes = find_codes(text)
    open_cases = Case.objects.filter(code__in=codes).exclude(state__in=["solved", "closed"])
    cases = {case.code_id: case for case in open_cases}
    return [code_hit(code, cases.get(code.pk)) for code in codes]


def find_cases(text: str) -> Iterable[Hit]:
    match = Q(customer_order__iexact=text)
    number = CASE_NUMBER.fullmatch(text)
    if number:
        match |= Q(pk=int(number[1]))
    for case in Case.objects.filter(match).select_related("order").order_by("-pk")[:PER_KIND]:
        yield Hit(
            "Cases", case.number, f"{case.status.label}, {case.order}", reverse("claims:case_detail", args=[case.pk])
        )


def find_claims(text: str) -> Iterable[Hit]:
    for claim in Claim.objects.filter(remote_id=text).select_related("case")[:PER_KIND]:
        yield Hit(
            "Claims",
            claim.remote_id,
            f"{claim.status.label}, {claim.case}",
            reverse("claims:claim_detail", args=[claim.pk]),
        )


def find_skus(text: str) -> Iterable[Hit]:
    rows = Sku.objects.filter(Q(code__icontains=text.replace(" ", "-")) | Q(title__icontains=text)).order_by("code")
    for sku in rows[:PER_KIND]:
        yield Hit("SKUs", sku.code, sku.title, reverse("catalog:sku_detail", args=[sku.pk]))


def find_products(text: str) -> Iterable[Hit]:
    rows = Product.objects.filter(external_id__iexact=text).select_related("account")
    for product in rows[:PER_KIND]:
        yield Hit(
            "Products", product.external_id, f"{product.account}", reverse("catalog:product_detail", args=[product.pk])
        )


def find_events(text: str) -> Iterable[Hit]:
    for event in WebhookEvent.objects.filter(event_id=text)[:PER_KIND]:
        yield Hit("Webhooks", event.event_id, event.status.label, reverse("suppliers:webhook_detail", args=[event.pk]))


FINDERS: tuple[tuple[Permission, Callable[[str], Iterable[Hit]]], ...] = (
    (Permission.ORDER_VIEW, find_orders),
    (Permission.CASE_VIEW, find_cases),
    (Permission.CASE_VIEW, find_claims),
    (Permission.MAPPING_VIEW, find_skus),
    (Permission.CATALOG_VIEW, find_products),
    (Permission.WEBHOOK_VIEW, find_events),
)


def find(text: str, user: User, *, with_codes: bool) -> list[Hit]:
    """Everything this person may see that matches, grouped by kind; codes only when asked by POST."""
    hits: list[Hit] = []
    if with_codes and may(user, Permission.ORDER_VIEW):
        plain = normalise_code(text)
        if looks_like_code(text):
            return list(find_code_hits(text))
        if LAST4.fullmatch(plain):
            hits += find_code_hits(text)
    for permission, finder in FINDERS:
        if may(user, permission):
            hits += finder(text)
    return hits
