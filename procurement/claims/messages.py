"""What we write to customers, in one place, checked word by word before the program starts (R75 to R82).

A template may name the customer's order, the product and a region, and nothing else. It never holds a code, promises a
speed that nobody confirmed, asks for a password, names a supplier or shows a way around region rules (N12).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from string import Formatter

from django.core.exceptions import ImproperlyConfigured

PLACEHOLDERS = frozenset({"customer_order", "product", "region"})
# From when an order that is still on its way counts as delayed. Our own watch, not a promise to anybody.
DELAYED_AFTER = timedelta(hours=1)

FORBIDDEN: Mapping[str, re.Pattern[str]] = {
    "promises a speed": re.compile(
        r"\b(instant\w*|immediate\w*|shortly|soon|asap|right away|at once|quick\w*|fast\w*|today|tonight|tomorrow"
        r"|within|\d+|seconds?|minutes?|hours?|days?|weeks?|guarantee\w*)\b",
        re.IGNORECASE,
    ),
    "asks for a way into the account": re.compile(
        r"\b(passwords?|passcodes?|log-?in|sign-?in (details|id)|credentials?|verification|one-time|2fa"
        r"|e-?mail address)\b",
        re.IGNORECASE,
    ),
    "names a supplier": re.compile(r"\b(suppliers?|wholesale\w*|alpha|psn:?b2b|psnb2b)\b", re.IGNORECASE),
    "shows a way around region rules": re.compile(
        r"\b(vpn|proxy|new account|another account|change (your|the) (country|region))\b", re.IGNORECASE
    ),
}


@dataclass(frozen=True)
class Message:
    """One text for customers; `label` names it to us, `asks` = it asks the customer for an answer."""

    key: str
    label: str
    text: str
    asks: bool = False


MESSAGES: Mapping[str, Message] = {
    message.key: message
    for message in (
        Message(
            "processing",
            "Processing",
            "Hello,\n\nyour order {customer_order} for {product} is being processed. Nothing is wrong, and you "
            "do not need "
            "to do anything. You get the code by the usual way once it is there.",
        ),
        Message(
            "delayed",
            "Delayed",
            "Hello,\n\nyour order {customer_order} for {product} takes longer than usual. Your payment is safe "
            "and the order "
            "stands. We watch it and write to you when it is delivered, or when we have a decision for you to take.",
        ),
        Message(
            "failed",
            "Failed",
            "Hello,\n\nyour order {customer_order} for {product} could not be delivered. We are sorry. Please "
            "tell us whether you "
            "prefer the same product again or your money back.",
            asks=True,
        ),
        Message(
            "region_ours",
            "Region mismatch: ours",
            "Hello,\n\nthe code you got for order {customer_order} is for accounts of {region} and does not fit "
            "what you bought. "
            "That is our mistake, and we are sorry. We replace it at our cost; please do not use the code you have.",
        ),
        Message(
            "region_supplier",
            "Region mismatch: delivery",
            "Hello,\n\nthe code you got for order {customer_order} is for accounts of {region} and does not fit "
            "what you bought. "
            "We are sorry. Please do not use it. We have opened a case and write to you with its result.",
        ),
        Message(
            "region_account",
            "Region mismatch: account",
            "Hello,\n\nthe code for order {customer_order} is a {product} code for accounts of {region}, as it "
            "was sold. A code works "
            "only on an account of the same country or region, and the account you named is of another one. The "
            "code has not "
            "been used up by the attempt. Please check which country your account shows, and tell us what you "
            "would like to do.",
            asks=True,
        ),
        Message(
            "ask_region",
            "Which region",
            "Hello,\n\nto help you with order {customer_order} for {product} we need two things: the country or "
            "region that your "
            "PlayStation account shows in its settings, and the exact text of the error. Please never send us the code "
            "itself or anything that opens your account.",
            asks=True,
        ),
        Message(
            "value_ours",
            "Value mismatch: ours",
            "Hello,\n\nthe code you got for order {customer_order} has another value than the {product} you "
            "bought. That is our "
            "mistake, and we are sorry. We replace it at our cost; please do not use the code you have.",
        ),
        Message(
            "value_supplier",
            "Value mismatch: delivery",
            "Hello,\n\nthe code you got for order {customer_order} has another value than the {product} you "
            "bought. We are sorry. "
            "Please do not use it. We have opened a case and write to you with its result.",
        ),
        Message(
            "manual_review",
            "Manual review",
            "Hello,\n\nwe are looking into order {customer_order} for {product} by hand. Please keep the code "
            "and do not try it "
            "again for now. We write to you when we know more.",
        ),
        Message(
            "replacement_ready",
            "Replacement ready",
            "Hello,\n\nthe replacement for order {customer_order} is ready: {product} for accounts of {region}. "
            "You get it by the "
            "same way as the first one. Thank you for your patience.",
        ),
    )
}

# The five that the launch waits for (R80), each with the texts that make it up.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "processing": ("processing",),
    "delayed": ("delayed",),
    "failed": ("failed",),
    "region mismatch": ("region_ours", "region_supplier", "region_account"),
    "manual review": ("manual_review",),
}

_BY_ORDER_STATE: Mapping[str, str] = {
    "draft": "processing",
    "pending_approval": "processing",
    "approved": "processing",
    "placing": "processing",
    "placed": "processing",
    "paid": "processing",
    "delivered": "processing",
    "partial": "delayed",
    "unknown": "manual_review",
    "placed_no_id": "manual_review",
    "manual_review": "manual_review",
    "codes_stored": "manual_review",
    "rejected": "failed",
    "expired": "failed",
    "cancelled": "failed",
    "place_failed": "failed",
    "supplier_failed": "failed",
    "refunded": "failed",
}


def message_for(verdict_message: str, order_state: str, age: timedelta = timedelta(0)) -> str:
    """The key of the message that fits: the verdict's own, else the one of the order's state.

    An order still on its way for longer than DELAYED_AFTER is delayed. An unknown state goes to manual review.
    """
    if verdict_message:
        return verdict_message
    key = _BY_ORDER_STATE.get(order_state, "manual_review")
    return "delayed" if key == "processing" and age > DELAYED_AFTER else key


def fill(key: str, *, customer_order: str, product: str, region: str) -> str:
    """The message as it is sent. Raises KeyError for a message that does not exist."""
    return MESSAGES[key].text.format(customer_order=customer_order, product=product, region=region)


def lint_template(text: str) -> list[str]:
    """What is wrong with a template, one reason each; empty when it may be sent (R81, R82)."""
    try:
        names = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    except ValueError as error:
        return [f"has a broken placeholder ({error})"]
    found = [f"uses the placeholder {{{name}}}" for name in sorted(names - PLACEHOLDERS)]
    words = re.sub(r"\{[^{}]*\}", " ", text)
    for reason, pattern in FORBIDDEN.items():
        hit = pattern.search(words)
        if hit:
            found.append(f"{reason} (“{hit.group(0)}”)")
    return found


def missing_messages(present: Mapping[str, Message] = MESSAGES) -> list[str]:
    """Which of the five required messages are absent or empty (R80)."""
    filled = {key for key, message in present.items() if message.text.strip()}
    return [name for name, keys in REQUIRED.items() if not set(keys) <= filled]


def refuse_bad_templates(present: Mapping[str, Message] = MESSAGES) -> None:
    """Raise ImproperlyConfigured for the first template that may not be sent: the program does not start with it."""
    for message in present.values():
        for reason in lint_template(message.text):
            raise ImproperlyConfigured(
                f"The message “{message.label}” {reason}. Correct procurement/claims/messages.py."
            )


refuse_bad_templates()
