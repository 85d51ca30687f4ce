"""What there is to know of a supplier: facts of identity, terms, limits, fields, behaviour; and what holds until each is confirmed.

The register of terms and the onboarding checklist both read this list: an entry added here stands in both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from procurement.suppliers.models import ALPHA, PSNB2B, SupplierAccount

IDENTITY, QUOTE, LIMIT, FIELD, BEHAVIOUR = "identity", "quote", "limit", "field", "behaviour"
# The registers in reading order. Identity is kept apart from all that is negotiated (R11); what belongs to a quote
# expires, and no public page can confirm it (R113): both are constraints of the table.
REGISTERS: Mapping[str, str] = {
    IDENTITY: "Who the supplier is",
    QUOTE: "Terms of the quote",
    LIMIT: "Limits and windows",
    FIELD: "Fields in production",
    BEHAVIOUR: "How the API behaves",
}
TEXT, YES_NO, COUNT, MINUTES, HOURS, DAYS = "", "yes or no", "a number", "minutes", "hours", "days"
CHARACTERS = "characters"
NUMBER = re.compile(r"[0-9]{1,7}")


@dataclass(frozen=True)
class Kind:
    """One thing to be confirmed. `until` is what holds, or what to do, before that; no `dialects` means every supplier."""

    key: str
    register: str
    label: str
    until: str
    unit: str = TEXT
    dialects: tuple[str, ...] = ()

    @property
    def register_label(self) -> str:
        return REGISTERS[self.register]

    @property
    def must_expire(self) -> bool:
        """A quote that never ends would be built on long after the supplier forgot it."""
        return self.register == QUOTE

    def words(self, value: str) -> str:
        """A value as people read it: `15 minutes`, `yes`, or the text itself."""
        unit = self.unit if self.unit in {MINUTES, HOURS, DAYS, CHARACTERS} else ""
        return f"{value} {unit.removesuffix('s') if value == '1' else unit}".strip()

    def problem_with(self, value: str) -> str:
        """Why a value does not fit; empty when it does."""
        if self.unit == YES_NO:
            return "" if value in {"yes", "no"} else "Write yes or no."
        if self.unit and not NUMBER.fullmatch(value):
            return "Write a whole number." if self.unit == COUNT else f"Write a whole number of {self.unit}."
        return ""


ALL = (
    Kind("legal_name", IDENTITY, "Legal name", "Sign nothing with them."),
    Kind("registration", IDENTITY, "Registration number and place", "Look it up in the public register first."),
    Kind("address", IDENTITY, "Registered address", "Send nothing by post."),
    Kind("website", IDENTITY, "Website and domain", "Enter no password and no key there."),
    Kind("contact", IDENTITY, "Named contact", "Write to the address the supplier publishes only."),
    Kind("paying_to", IDENTITY, "Whom and where we pay", "Pay no deposit there."),
    Kind("price", QUOTE, "Price", "The price read last counts, and an approval caps it."),
    Kind("live_stock", QUOTE, "Live stock", "Stock is what the catalogue said last; nothing is promised."),
    Kind("delivery_target", QUOTE, "Delivery target", "No time is promised and no clock runs.", MINUTES),
    Kind("approval_criteria", QUOTE, "Approval criteria", "Our own rules say who must approve."),
    Kind("support_scope", QUOTE, "Support scope", "No customer is promised a remedy by the supplier."),
    Kind("support_response", QUOTE, "Support response window", "No answer is expected by any time.", HOURS),
    Kind("claim_window", LIMIT, "Claim window", "Seven days, as the suppliers document it.", DAYS),
    Kind("claim_start", LIMIT, "Start of the claim window", "The earliest proof that the code could be had."),
    Kind("calls_a_minute", LIMIT, "Calls a minute", "58 in any 60 seconds, or what the account sets.", COUNT),
    Kind("orders_a_minute", LIMIT, "Orders a minute", "10 in any 60 seconds, or what the account sets.", COUNT),
    Kind("largest_quantity", LIMIT, "Largest quantity of an order", "At most 1,000 codes.", COUNT),
    Kind("key_length", LIMIT, "Longest idempotency key", "32 characters are sent.", CHARACTERS, (ALPHA,)),
    Kind("product_fields", FIELD, "Fields of a product", "Read as assumed; what does not fit is refused."),
    Kind("order_fields", FIELD, "Fields of an order", "Read as assumed; an answer without an id is an exception."),
    Kind("balance_fields", FIELD, "Fields of the balance", "Read as assumed; what does not fit is refused."),
    Kind("code_fields", FIELD, "Fields of a delivered code", "Read as assumed, counted and compared with the order."),
    Kind("webhook_fields", FIELD, "Fields and signature of a webhook", "A webhook only makes its order be read."),
    Kind("error_fields", FIELD, "Fields of an error", "Several shapes are understood; an unknown one proves nothing."),
    Kind("key_retention", BEHAVIOUR, "How long a key is remembered", "Sent again for six hours at most.", HOURS, (ALPHA,)),
    Kind("payload_compared", BEHAVIOUR, "A key with another payload is refused", "It is never tried.", YES_NO, (ALPHA,)),
    Kind("while_running", BEHAVIOUR, "Answer while the first call runs", "Never sent twice at a time.", TEXT, (ALPHA,)),
    Kind("lookup", BEHAVIOUR, "Orders are found by our id", "An empty answer proves nothing.", YES_NO, (ALPHA,)),
    Kind("order_list", BEHAVIOUR, "A list or search of orders", "None is used.", TEXT, (PSNB2B,)),
    Kind("reference_field", BEHAVIOUR, "A free field in an order", "None is sent.", TEXT, (PSNB2B,)),
    Kind("balance_lag", BEHAVIOUR, "Delay of the balance", "Must stand still for 15 minutes.", MINUTES, (PSNB2B,)),
    Kind("refusal_429", BEHAVIOUR, "A 429 comes before the order", "Taken for not placed.", YES_NO, (PSNB2B,)),
    Kind("codes_again", BEHAVIOUR, "Codes can be fetched again", "Stored as they come.", YES_NO, (PSNB2B,)),
    Kind("failed_after", BEHAVIOUR, "Failed after delivered", "A person decides; nothing is booked.", TEXT, (PSNB2B,)),
    Kind("webhook_time", BEHAVIOUR, "Time in a webhook: attempt or event", "Only a fresh one counts; a read decides."),
)  # fmt: skip
KINDS: Mapping[str, Kind] = {kind.key: kind for kind in ALL}


def kinds_for(account: SupplierAccount) -> list[Kind]:
    """What is to be confirmed of an account, in reading order."""
    return [kind for kind in ALL if not kind.dialects or account.dialect in kind.dialects]
