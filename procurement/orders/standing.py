"""Where an order stands between two looks: what was heard last, what comes next and by whom, what each button does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from procurement.orders.models import Lane, Order
from procurement.orders.services.timing import wait_words
from procurement.orders.states import ORDER, UNCONFIRMED
from procurement.staff.access import may
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.suppliers.clients import client_for
from procurement.suppliers.models import BalanceSnapshot, Exchange, WebhookEvent
from procurement.suppliers.states import LIVE, NOT_PROVEN
from procurement.work.models import DueWork

WORK = ("order.place", "order.check", "order.investigate")
# Who the owner in the table of states is to a reader of the page.
DESK = "the desk, by itself"
OWNERS = {"the dispatcher": DESK, "the poller": DESK, "the supplier": "the supplier; the desk asks by itself"}
ASKS = "asks the supplier again"
TWO_PEOPLE = "two people must decide"
MEANWHILE = f"{TWO_PEOPLE}; meanwhile the desk reads the balance and the messages again"
JUDGES = "one proposes, another confirms; neither asked for the order"
WORK_WORDS = {
    "placing": "stores the answer, or gives the order up as unconfirmed",
    "unknown": "asks for the same order again, under the same key",
    "placed": ASKS,
    "paid": ASKS,
    "delivered": "fetches the codes",
    "partial": "asks for the missing codes",
    "supplier_failed": "asks for the refund",
}


@dataclass(frozen=True)
class Heard:
    """The latest thing that told us something about an order."""

    at: datetime
    what: str


def last_heard(order: Order, exchanges: list[Exchange]) -> Heard | None:
    """The newest of: an answer to our order, a status reading, a webhook; for an unconfirmed order also the balance."""
    heard = [Heard(call.started_at, f"answer to our order: {call.answer_words}") for call in exchanges]
    if order.checked_at:
        heard.append(Heard(order.checked_at, f"its status was read: “{order.remote_status}”"))
    if order.remote_id:
        events = WebhookEvent.objects.filter(account_id=order.account_id, remote_order_id=order.remote_id)
        event = events.exclude(result__in=NOT_PROVEN).defer("body_sealed").order_by("-received_at").first()
        heard += [Heard(event.received_at, f"a webhook: “{event.remote_status}”")] if event else []
    if order.state in UNCONFIRMED:
        readings = BalanceSnapshot.objects.filter(account_id=order.account_id, currency=order.cost_currency)
        taken = readings.order_by("-taken_at").values_list("taken_at", flat=True).first()
        heard += [Heard(taken, "the account's balance was read")] if taken else []
    return max(heard, key=lambda one: one.at, default=None)


@dataclass(frozen=True)
class Next:
    """What follows, as a clause; `at` (UTC) when the desk has a time for it, None when it waits for somebody."""

    words: str
    who: str
    at: datetime | None = None


def next_step(order: Order, place: int | None) -> Next:
    """The next due action and who takes it; `place` is the order's place in the queue of its account."""
    owner = ORDER.statuses[order.state].owner
    due = dict(DueWork.objects.filter(kind__in=WORK, ref=str(order.pk)).values_list("kind", "due_at"))
    at = max(min(due.values()), timezone.now()) if due else None
    if order.state == "approved":
        return waiting(order, place, at)
    asked_again = order.state == "unknown" and "order.place" in due and client_for(order.account).idempotent
    if order.state in UNCONFIRMED and not asked_again:
        look = due.get("order.investigate")
        return Next(MEANWHILE if look else TWO_PEOPLE, JUDGES, look)
    if order.state in WORK_WORDS and at:
        return Next(WORK_WORDS[order.state], DESK, due["order.place"] if asked_again else at)
    people = {
        "draft": ("is sent on, or cancelled", str(order.requested_by or "a buyer")),
        "pending_approval": ("is approved, sent back or rejected", owner),
        "partial": ("the missing codes are claimed", "support"),
    }
    words, who = people.get(order.state, ("nothing more is due", OWNERS.get(owner, owner)))
    return Next(words, who)


def waiting(order: Order, place: int | None, at: datetime | None) -> Next:
    """Why an approved order is not sent yet."""
    if blocker := lane_blocker(order):
        return Next(f"is sent after {blocker} is decided", "support and finance decide that one")
    if order.account.state != LIVE:
        return Next(f"is sent when {order.account} is in use again ({order.account.status.label.lower()})", DESK, at)
    queue = f"waits for its turn: place {place}" if place and place > 1 else "is sent"
    return Next(queue, DESK, at)


def queue_words(order: Order, place: int | None) -> str:
    """The order's place and how long that takes; empty when it is not queued. Behind an undecided order nobody knows."""
    if not place:
        return ""
    wait = "" if lane_blocker(order) else wait_words(order, place - 1)
    return f"Place {place} in the queue of {order.account}" + (f": {wait}." if wait else ".")


def lane_blocker(order: Order) -> Order | None:
    """The unconfirmed order that an approved one waits for, at an account that takes one at a time."""
    if order.state != "approved":
        return None
    lane = Lane.objects.filter(account=order.account, holder__order__state__in=UNCONFIRMED)
    found = lane.select_related("holder__order").first()
    return found.holder.order if found and found.holder else None


CANCEL = {
    "draft": "Ends this draft. Nothing was ordered and no money is held.",
    "approved": "Takes it out of the queue and frees the held money; refused once it is being sent.",
}


def actions_of(order: Order, user: User) -> dict[str, str]:
    """The buttons this person gets in this state, each with the sentence of what it does."""
    mine, state = order.requested_by_id == user.pk, order.state
    buys, decides = may(user, Permission.ORDER_CREATE), may(user, Permission.ORDER_APPROVE)
    drafts = state == "draft" and buys and (mine or not order.requested_by_id)
    offered = {
        "submit": (
            drafts,
            "Checks price and balance again; then it goes to a manager, or straight to the supplier if no rule asks for one.",
        ),
        "quantity": (drafts, "Prices it anew. Nothing is ordered until you send it on."),
        "decide": (
            state == "pending_approval" and decides and not mine,
            "Opens price, balance and warnings on one page; nothing is ordered before you approve there.",
        ),
        "withdraw": (
            state == "pending_approval" and mine,
            "Makes it a draft again; the question to the manager is void, and nothing is ordered.",
        ),
        "check": (
            state in {"placed", "paid", "delivered", "partial", "supplier_failed"}
            and (buys or may(user, Permission.CASE_WORK)),
            "Reads this order at the supplier in the next seconds. It orders nothing.",
        ),
        "again": (
            state in {"place_failed", "refunded", "cancelled", "expired"} and buys,
            "Opens a new order with the same SKU and quantity; nothing is ordered before its check page.",
        ),
        "evidence": (
            state in UNCONFIRMED,
            "Shows everything that tells whether it was placed, and who may decide. Nothing is sent to the supplier.",
        ),
        "cancel": (state in CANCEL and (buys or decides), CANCEL.get(state, "")),
    }
    return {name: sentence for name, (given, sentence) in offered.items() if given}
