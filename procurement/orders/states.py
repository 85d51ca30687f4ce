"""Which states an order and its attempts can take, what moves them, and who must act in each."""

from __future__ import annotations

from procurement.states import Machine, Move, Status

ORDER = Machine(
    name="order",
    statuses={
        "draft": Status("Draft", "neutral", "the buyer"),
        "pending_approval": Status("Needs approval", "attention", "a manager who did not ask for it"),
        "rejected": Status("Rejected", "bad", "nobody"),
        "approved": Status("Approved, queued", "progress", "the dispatcher"),
        "expired": Status("Expired", "neutral", "nobody"),
        "cancelled": Status("Cancelled", "neutral", "nobody"),
        "placing": Status("Placing", "progress", "the dispatcher"),
        "unknown": Status("Unconfirmed", "hold", "support and finance"),
        "placed_no_id": Status("Taken without an id", "hold", "finance"),
        "placed": Status("Waiting for supplier", "progress", "the supplier"),
        "place_failed": Status("Failed", "bad", "the buyer"),
        "paid": Status("Paid", "progress", "the supplier"),
        "delivered": Status("Fetching codes", "progress", "the poller"),
        "partial": Status("Part delivered", "attention", "support"),
        "codes_stored": Status("Delivered", "good", "nobody"),
        "supplier_failed": Status("Failed, refund awaited", "attention", "finance"),
        "refunded": Status("Failed, refunded", "bad", "nobody"),
        "manual_review": Status("Manual review", "hold", "support and finance"),
    },
    moves=(
        Move("draft", "pending_approval", "order.submitted", "buyer"),
        Move("draft", "approved", "order.approved", "buyer, below the limit"),
        Move("draft", "cancelled", "order.cancelled", "buyer"),
        Move("draft", "placed", "order.adopted", "support proposes, finance confirms: an order that nobody claimed"),
        Move("pending_approval", "draft", "order.sent_back", "approver sends back"),
        Move("pending_approval", "draft", "order.withdrawn", "buyer withdraws"),
        Move("pending_approval", "rejected", "order.rejected", "approver"),
        Move("pending_approval", "approved", "order.approved", "approver"),
        Move("pending_approval", "expired", "order.expired", "clock"),
        Move("approved", "expired", "order.expired", "clock"),
        Move("approved", "cancelled", "order.cancelled", "buyer or approver"),
        Move("approved", "draft", "order.price_moved", "dispatcher, price above the approved cap"),
        Move("approved", "place_failed", "order.failed", "dispatcher: refused before sending"),
        Move("approved", "placing", "order.placing", "dispatcher"),
        Move("placing", "approved", "order.postponed", "dispatcher: not sent, or told to wait"),
        Move("placing", "placed", "order.placed", "dispatcher"),
        Move("placing", "place_failed", "order.failed", "dispatcher: the supplier refused"),
        Move("placing", "unknown", "order.unconfirmed", "dispatcher or reaper"),
        Move("placing", "placed_no_id", "order.placed_without_id", "dispatcher"),
        Move("unknown", "placing", "order.placing", "dispatcher, same key and bytes"),
        Move("unknown", "placed", "order.placed", "proof found"),
        Move("unknown", "placed_no_id", "order.placed_without_id", "finance"),
        Move("unknown", "place_failed", "order.failed", "support proposes, finance confirms"),
        Move("unknown", "manual_review", "order.needs_review", "clock or conflict"),
        Move("placed_no_id", "placed", "order.placed", "support and finance"),
        Move("placed_no_id", "refunded", "order.refunded", "support and finance"),
        Move("placed", "paid", "order.paid", "poller"),
        Move("placed", "delivered", "order.delivered", "poller"),
        Move("placed", "supplier_failed", "order.supplier_failed", "poller"),
        Move("placed", "manual_review", "order.needs_review", "poller: amount or product differs"),
        Move("paid", "delivered", "order.delivered", "poller"),
        Move("paid", "supplier_failed", "order.supplier_failed", "poller"),
        Move("paid", "manual_review", "order.needs_review", "poller: amount or product differs"),
        Move("delivered", "codes_stored", "order.codes_stored", "poller"),
        Move("delivered", "partial", "order.partial", "poller, fewer codes than ordered"),
        Move("delivered", "manual_review", "order.needs_review", "poller: the supplier contradicts itself"),
        Move("partial", "codes_stored", "order.codes_stored", "poller"),
        Move("partial", "manual_review", "order.needs_review", "poller: the supplier contradicts itself"),
        Move("codes_stored", "manual_review", "order.needs_review", "poller: the supplier contradicts itself"),
        Move("supplier_failed", "refunded", "order.refunded", "poller"),
        Move("supplier_failed", "manual_review", "order.needs_review", "clock, 24 h without a refund"),
        Move("manual_review", "placed", "order.placed", "support proposes, finance confirms"),
        Move("manual_review", "placed_no_id", "order.placed_without_id", "support proposes, finance confirms"),
        Move("manual_review", "place_failed", "order.failed", "support proposes, finance confirms"),
        Move("manual_review", "delivered", "order.delivered", "support proposes, finance confirms"),
        Move("manual_review", "refunded", "order.refunded", "support proposes, finance confirms"),
    ),
)

# Asked about at the supplier until they settle.
AWAITED = ("placed", "paid", "delivered", "supplier_failed")
# An answer is missing: no person and no worker may send these again at a supplier without keys.
UNCONFIRMED = ("unknown", "placed_no_id", "manual_review")
# What two people can end: the supplier's answer never came, or named no id.
RESOLVABLE = ("unknown", "placed_no_id")

ATTEMPT = Machine(
    name="attempt",
    statuses={
        "ready": Status("Ready", "neutral", "the dispatcher"),
        "sending": Status("Sending", "progress", "the dispatcher"),
        "placed": Status("Placed", "good", "nobody"),
        "placed_no_id": Status("Placed without an id", "hold", "finance"),
        "not_placed": Status("Not placed", "bad", "nobody"),
        "unknown": Status("Unconfirmed", "hold", "support and finance"),
        "void": Status("Void", "neutral", "nobody"),
    },
    moves=(
        Move("ready", "sending", "order.placing", "dispatcher"),
        Move("ready", "void", "order.cancelled", "buyer, approver or clock"),
        Move("sending", "ready", "order.postponed", "dispatcher: nothing was sent, or 429"),
        Move("sending", "placed", "order.placed", "dispatcher"),
        Move("sending", "placed_no_id", "order.placed_without_id", "dispatcher"),
        Move("sending", "not_placed", "order.failed", "dispatcher"),
        Move("sending", "unknown", "order.unconfirmed", "dispatcher or reaper"),
        Move("unknown", "sending", "order.placing", "dispatcher, same key and bytes"),
        Move("unknown", "placed", "order.placed", "proof found"),
        Move("unknown", "placed_no_id", "order.placed_without_id", "finance"),
        Move("unknown", "not_placed", "order.failed", "support proposes, finance confirms"),
        Move("placed_no_id", "placed", "order.placed", "support and finance"),
    ),
)

CODE = Machine(
    name="code",
    statuses={
        "stored": Status("Unused stock", "neutral", "nobody"),
        "handed_over": Status("Delivered to customer", "good", "nobody"),
        "wrong_region": Status("Wrong region", "bad", "support"),
        "invalid": Status("Invalid", "bad", "support"),
        "claimed": Status("Claimed", "progress", "the supplier"),
        "replaced": Status("Replaced", "good", "nobody"),
        "credited": Status("Credited", "good", "nobody"),
    },
    moves=(
        Move("stored", "handed_over", "code.handed_over", "buyer"),
        Move("stored", "claimed", "claim.filed", "support"),
        Move("handed_over", "claimed", "claim.filed", "support"),
        Move("wrong_region", "claimed", "claim.filed", "support"),
        Move("invalid", "claimed", "claim.filed", "support"),
        Move("claimed", "replaced", "claim.replaced", "support"),
        Move("claimed", "credited", "claim.credited", "finance"),
        Move("claimed", "invalid", "claim.declined", "support"),
    ),
)

DELIVERY_FILE = Machine(
    name="delivery file",
    statuses={
        "requested": Status("Needs release", "attention", "a manager who did not ask for it"),
        "released": Status("Released", "progress", "who asked for it"),
        "fetched": Status("Fetched", "good", "nobody"),
        "declined": Status("Declined", "neutral", "nobody"),
    },
    moves=(
        Move("requested", "released", "delivery_file.released", "a second person"),
        Move("requested", "declined", "delivery_file.declined", "a second person, or who asked"),
        Move("released", "fetched", "delivery_file.fetched", "who asked, once"),
        Move("released", "declined", "delivery_file.declined", "a second person, or who asked"),
    ),
)

CODE_IMPORT = Machine(
    name="import of codes",
    statuses={
        "uploaded": Status("Needs a second person", "attention", "a manager who did not upload it"),
        "taken_in": Status("Taken in", "good", "nobody"),
        "declined": Status("Declined", "neutral", "nobody"),
    },
    moves=(
        Move("uploaded", "taken_in", "code_import.taken_in", "a second person"),
        Move("uploaded", "declined", "code_import.declined", "a second person, or who uploaded it"),
    ),
)

UNCLAIMED = Machine(
    name="unclaimed order",
    statuses={
        "open": Status("Nobody's order", "attention", "support and finance"),
        "bound": Status("Bound to an order", "good", "nobody"),
        "adopted": Status("Adopted", "good", "nobody"),
        "dismissed": Status("Dismissed", "neutral", "nobody"),
    },
    moves=(
        Move("open", "bound", "unclaimed.bound", "an order of ours turns out to carry it"),
        Move("open", "adopted", "unclaimed.adopted", "support proposes, finance confirms"),
        Move("open", "dismissed", "unclaimed.dismissed", "support proposes, finance confirms"),
        Move("dismissed", "bound", "unclaimed.bound", "an order of ours turns out to carry it"),
    ),
)
