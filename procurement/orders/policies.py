"""What an order, a code or a person may do: pure checks that raise the sentence the page shows."""

from __future__ import annotations

import re
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from procurement.catalog.models import Mapping, Product
from procurement.catalog.policies import differences
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.orders.custody import WHYS
from procurement.orders.finding import codes_held_as
from procurement.orders.models import Code, Order
from procurement.staff.access import check_can, check_settled
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.suppliers.clients.redaction import mask_code_like
from procurement.suppliers.models import SupplierAccount
from procurement.vault import normalise_code

MAX_QUANTITY = 1_000
STALE_WARNING = timedelta(minutes=15)
STALE_LIMIT = timedelta(hours=24)
CODE_LENGTH = 12
CUSTOMER_ORDER = re.compile(r"[A-Za-z0-9#][A-Za-z0-9._/#-]{0,99}")
CLIENT_ORDER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_mapping(mapping: Mapping) -> None:
    """Only an active mapping, equal in region, currency and denomination, may be ordered from (R2, R3)."""
    if mapping.state != "active":
        raise Refused(
            f"The mapping of {mapping.sku} is {mapping.status.label.lower()}. No order was made. Activate it first."
        )
    found = differences(mapping.sku, mapping.product)
    if found:
        raise Refused(
            f"{mapping.sku} can't be ordered: {'; '.join(found)}. No order was made. Correct the mapping first."
        )


def check_product(product: Product) -> None:
    """A product needs a cost no older than a day, and stock if the supplier counts it (R10)."""
    if not product.active or product.cost_minor is None or product.read_at is None:
        raise Refused(
            f"{product} is not offered now. No order was made. Refresh the catalogue or choose another supplier."
        )
    if timezone.now() - product.read_at > STALE_LIMIT:
        raise Refused(
            f"The price of {product} was read over 24 hours ago. No order was made. Refresh the catalogue first."
        )


def check_quantity(quantity: int, product: Product) -> None:
    """A positive whole number, at most the limit, and not more than the supplier has (R38)."""
    if quantity < 1:
        raise Refused("The quantity must be at least 1. No order was made.")
    if quantity > MAX_QUANTITY:
        raise Refused(f"The quantity can be at most {MAX_QUANTITY:,}. No order was made. Split it into several orders.")
    if product.stock is not None and quantity > product.stock:
        raise Refused(f"The supplier has {product.stock:,} in stock, you asked for {quantity:,}. No order was made.")


def check_account(account: SupplierAccount) -> None:
    """An account of this installation's environment that is not paused (R108)."""
    if account.environment != settings.ENVIRONMENT:
        raise Refused(
            f"{account} is a {account.environment} account and this is a {settings.ENVIRONMENT} installation."
        )
    if account.state == "paused":
        raise Refused(f"{account} is paused: {account.paused_reason}. No order was made.")


def check_client_order_id(text: str) -> None:
    """Letters, digits, dot, hyphen and underscore, at most 64; in use only once (R19)."""
    if not CLIENT_ORDER_ID.fullmatch(text):
        raise Refused(
            "A storefront order id has 1 to 64 letters, digits, dots, hyphens or underscores, as in ORDER-1042."
        )
    if Order.objects.filter(client_order_id__iexact=text).exists():
        raise Refused(f"{text} has an order already. No second order was made. Open it, or use another id.")


def check_own_draft(user: User, order: Order) -> None:
    """Only the requester sends a draft on: it counts against their day, and they can't approve it (R35)."""
    if order.requested_by_id is not None and order.requested_by_id != user.pk:
        raise NotAllowed(f"{order.requested_by} drafted this order and alone can send it on. Nothing was ordered.")


def check_is_draft(order: Order) -> None:
    """Only a draft may get another quantity; a later order is what somebody agreed to (R15)."""
    if order.state != "draft":
        raise StaleState(f"This order is “{order.status.label}” and its quantity is fixed. Nothing was changed.")


def check_can_cancel(user: User, order: Order) -> None:
    """The buyer or a manager, until the order is being sent."""
    check_can(user, Permission.ORDER_CREATE, Permission.ORDER_APPROVE)
    if order.state not in {"draft", "approved"}:
        raise Refused(f"This order is “{order.status.label}” and can't be cancelled any more. Nothing was changed.")


def check_customer_order(text: str) -> str:
    """The storefront's own number of the customer's order; returned trimmed. A code pasted in its place is refused (R62):
    what looks like one, and in whatever letters one that is held."""
    text = text.strip()
    if not CUSTOMER_ORDER.fullmatch(text) or mask_code_like(text) != text or is_held_code(text):
        raise Refused(
            "A customer order is the storefront's own number: letters, digits and . _ / # -, at most 100, and no code. "
            "Nothing was handed over."
        )
    return text


def is_held_code(text: str) -> bool:
    """Whether this is one of our codes, in capitals or not; nothing is opened."""
    return len(normalise_code(text)) == CODE_LENGTH and bool(codes_held_as(text, Code.objects.all()))


def clean_words(text: str) -> str:
    """A reason in one line, with every code-like run masked: no pasted code may stay in the records (R62)."""
    return mask_code_like(" ".join(text.split()), by_hand=True)[:500]


def check_reveal_reason(words: str, why: str) -> str:
    """A reason of the list, and 10 to 500 characters that say more; returned trimmed, codes masked."""
    if why not in dict(WHYS):
        raise Refused("Choose why you need to see this code. It was not opened.")
    if not 10 <= len(" ".join(words.split())) <= 500:
        raise Refused("Say in 10 to 500 characters why you need to see this code. It was not opened.")
    return clean_words(words)


def check_not_erased(code: Code) -> None:
    """An erased code is nowhere any more."""
    if code.is_erased:
        raise Refused(
            f"The code ending {code.last4} was erased. Nothing but these four is left of it; its record says why."
        )


def check_may_reveal(user: User) -> None:
    """Only a few people see codes at all (N15)."""
    check_can(user, Permission.CODE_REVEAL)


def check_can_reveal(user: User, code: Code) -> None:
    """Whether this person may see this very code now."""
    check_may_reveal(user)
    check_settled(user, Permission.CODE_REVEAL)
    if code.order.account.environment != settings.ENVIRONMENT:
        raise Refused("This code belongs to the other environment. It was not opened.")
