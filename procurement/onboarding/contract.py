"""The two suppliers' contracts as clauses: what each says, whether the supplier documents it or we assume it, and how a
probe judges it. docs/openapi/ holds the same contracts field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from procurement.onboarding import judging as by
from procurement.onboarding.judging import Judge
from procurement.onboarding.states import ASSUMED, DOCUMENTED
from procurement.suppliers.models import ALPHA, PSNB2B


@dataclass(frozen=True)
class Clause:
    """One thing a contract says. Without a judge no probe can show it in its few minutes; it stays as it is."""

    key: str
    source: str
    says: str
    judge: Judge | None = None


BOTH = (
    Clause("error_shape", ASSUMED, "A refusal is an object error with a code and a message.", by.error_shape),
    Clause(
        "unknown_order",
        ASSUMED,
        "An order that is not there is refused with 404 not_found.",
        by.refused_with("unknown order", 404, "not_found"),
    ),
    Clause("wrong_key", ASSUMED, "A key that is none is refused with 401.", by.wrong_key),
    Clause("balance_falls", ASSUMED, "The balance falls by the order's total when it is taken.", by.balance_falls),
    Clause("code_form", ASSUMED, "A code has twelve characters and is of the region ordered.", by.code_is_right),
)

OF_ALPHA = (
    Clause("products", DOCUMENTED, "GET /products gives the catalogue.", by.answers("products.list")),
    Clause(
        "product_fields",
        ASSUMED,
        "A product has product_id, name, region, currency, denomination, unit_cost, cost_currency and stock.",
        by.fits("products", "products.list"),
    ),
    Clause("balance", DOCUMENTED, "GET /balance gives the balance.", by.answers("balance.read")),
    Clause(
        "balance_fields",
        ASSUMED,
        "The balance is a list of currencies, each with what is available.",
        by.fits("balance", "balance.read"),
    ),
    Clause(
        "order_request",
        DOCUMENTED,
        "POST /orders takes product_id, quantity, client_order_id and idempotency_key.",
        by.order_is_taken,
    ),
    Clause("order_created", ASSUMED, "A new order is answered with 201.", by.order_answered_with(201)),
    Clause(
        "order_fields",
        ASSUMED,
        "The answer has order_id, status, client_order_id, product_id, quantity, total_cost and currency.",
        by.order_has("order_id", "status", "client_order_id", "product_id", "quantity", "total_cost", "currency"),
    ),
    Clause("order_price", ASSUMED, "total_cost is the unit cost times the quantity.", by.order_price),
    Clause(
        "replay",
        DOCUMENTED,
        "The same POST with the same idempotency key gives the first order back.",
        by.step_holds("no second purchase"),
    ),
    Clause("replay_status", ASSUMED, "A repeated POST is answered with 200.", by.replay_status),
    Clause(
        "unsafe_duplicate",
        DOCUMENTED,
        "An unsafe duplicate is rejected: the same key with another payload buys nothing.",
        by.step_holds("changed payload"),
    ),
    Clause(
        "changed_payload",
        ASSUMED,
        "The same key with another payload is refused with 409 idempotency_conflict.",
        by.refused_with("changed payload", 409, "idempotency_conflict"),
    ),
    Clause(
        "changed_key",
        ASSUMED,
        "Another key for a client_order_id in use is refused with 409 duplicate_client_order_id.",
        by.refused_with("changed key", 409, "duplicate_client_order_id"),
    ),
    Clause("order_read", DOCUMENTED, "GET /orders/{order_id} tells how an order stands.", by.answers("orders.read")),
    Clause(
        "order_list",
        ASSUMED,
        "GET /orders finds an order by our reference, and lists those of a span of time.",
        by.step_holds("look-up"),
    ),
    Clause(
        "statuses",
        ASSUMED,
        "An order is processing, completed, partially_completed, failed or refunded.",
        by.statuses,
    ),
    Clause(
        "codes",
        ASSUMED,
        "GET /orders/{order_id}/delivery gives the codes, each with its region.",
        by.codes_readable,
    ),
    Clause(
        "event",
        DOCUMENTED,
        "The event order.fulfilled tells that an order is delivered.",
        by.event_named(
            "order.fulfilled", "order.processing", "order.partially_fulfilled", "order.failed", "order.refunded"
        ),
    ),
    Clause("event_fields", DOCUMENTED, "An event has type, time, order id, status and signature.", by.event_has_all),
    Clause(
        "signature",
        ASSUMED,
        "The signature in the body is HMAC-SHA256 over the time, a point and the body without it.",
        by.event_signature,
    ),
    Clause("event_time", DOCUMENTED, "The time of an event is not stale when it comes.", by.event_time),
    Clause("event_id", ASSUMED, "Each event has an event_id of its own.", by.event_ids),
    Clause("answer_ids", DOCUMENTED, "Every answer has an id of the supplier's.", by.answer_ids),
    Clause("asks_to_wait", ASSUMED, "An answer of 429 says in Retry-After how long to wait.", by.asks_to_wait),
    Clause("claims", DOCUMENTED, "A claim goes through support; there is no call for it."),
)

OF_PSNB2B = (
    Clause("key", DOCUMENTED, "The key stands in Authorization: Bearer of every call.", by.good_key),
    Clause("json", DOCUMENTED, "All answers are JSON.", by.all_json),
    Clause(
        "rate_headers",
        DOCUMENTED,
        "X-RateLimit-Remaining and Retry-After stand on every answer.",
        by.rate_headers,
    ),
    Clause("limits", DOCUMENTED, "60 calls a minute for each key, 10 of them orders."),
    Clause("inventory", DOCUMENTED, "GET /inventory gives the live inventory.", by.answers("products.list")),
    Clause("regions", DOCUMENTED, "The inventory covers 12 regions or more.", by.regions_at_least(12)),
    Clause(
        "item_fields",
        ASSUMED,
        "An item has region, currency, denomination, price, price_currency and stock.",
        by.fits("products", "products.list"),
    ),
    Clause("balance", DOCUMENTED, "GET /balance gives the balance.", by.answers("balance.read")),
    Clause("tier", DOCUMENTED, "GET /balance names the tier of the volume discount.", by.balance_has_tier),
    Clause(
        "balance_fields",
        ASSUMED,
        "The balance has balance, currency and a tier with name and discount_percent.",
        by.fits("balance", "balance.read"),
    ),
    Clause("order_request", DOCUMENTED, "POST /orders takes region, denomination and quantity.", by.order_is_taken),
    Clause("order_id", DOCUMENTED, "A new order is answered with its id.", by.order_has("id")),
    Clause("order_created", ASSUMED, "A new order is answered with 201.", by.order_answered_with(201)),
    Clause(
        "order_fields",
        ASSUMED,
        "The answer has id, status, region, denomination, quantity, total and currency.",
        by.order_has("id", "status", "region", "denomination", "quantity", "total", "currency"),
    ),
    Clause(
        "order_price",
        ASSUMED,
        "The total is the price less the tier's discount, rounded for each unit, times the quantity.",
        by.order_price,
    ),
    Clause("order_read", DOCUMENTED, "GET /orders/{id} tells how an order stands.", by.answers("orders.read")),
    Clause("statuses", DOCUMENTED, "An order is pending, paid, delivered or failed.", by.statuses),
    Clause("codes", DOCUMENTED, "GET /orders/{id}/codes gives the codes of a delivered order.", by.codes_readable),
    Clause("codes_again", ASSUMED, "The codes can be read again.", by.codes_again),
    Clause(
        "event",
        DOCUMENTED,
        "The event order.status_changed tells of each change of an order.",
        by.event_named("order.status_changed"),
    ),
    Clause(
        "signature",
        DOCUMENTED,
        "HMAC-SHA256 of the event stands in the header X-PSNB2B-Signature.",
        by.event_signature,
    ),
    Clause("signed_bytes", ASSUMED, "What is signed is the body as it came.", by.event_signature),
    Clause("event_fields", ASSUMED, "An event has event, order_id, status and timestamp.", by.event_has_all),
    Clause("event_time", ASSUMED, "The time of an event is at most a day old when it comes.", by.event_time),
    Clause("event_repeats", DOCUMENTED, "An event that was not taken is sent again for 24 hours."),
    Clause("claims", DOCUMENTED, "POST /claims takes a claim for one code.", by.claim_is_taken),
    Clause("claim_fields", ASSUMED, "A claim is answered with its id and status.", by.claim_has_id),
    Clause("claim_window", DOCUMENTED, "Claims are taken for 7 days."),
)

CLAUSES: Mapping[str, tuple[Clause, ...]] = {ALPHA: (*OF_ALPHA, *BOTH), PSNB2B: (*OF_PSNB2B, *BOTH)}


def clauses_of(dialect: str) -> tuple[Clause, ...]:
    """All clauses of one supplier's contract, in reading order."""
    return CLAUSES[dialect]
