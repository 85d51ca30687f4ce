"""What must hold of our database and the supplier's own record, whatever went wrong: I1 to I10, and the money (T2, T10).

The supplier's record is what the sandbox's controls say (`orders`, `requests`); `asked_by` is the X-Request-Id of the
POST that made an order, by which each is tied to the attempt that sent it, also where the supplier takes no reference.
Nothing here uses the services that are being checked: only rows, the transition tables and the suppliers' words.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Sum
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from ledger.models import Balance, Entry, Line
from ledger.money import parse_amount
from procurement.approvals.services import limits_for
from procurement.audit.models import AuditEvent
from procurement.bookkeeping.rules import HOLD
from procurement.orders.models import Attempt, Code, Delivery, Lane, Order, Resolution, UnclaimedOrder
from procurement.orders.states import ATTEMPT, ORDER
from procurement.reconciliation.models import Difference
from procurement.states import Machine
from procurement.suppliers.clients import CLIENTS
from procurement.suppliers.models import Exchange, SupplierAccount, WebhookEvent
from procurement.work.models import DueWork, Loop

Remote = Mapping[str, Any]
WINDOW = timedelta(seconds=60)
MOST = {"psnb2b": (60, 10)}
SENDING_LIMIT = timedelta(seconds=60)

# Money must be set aside in the first of these, and may be in no other state than these.
MUST_HOLD = ("approved", "placing", "unknown")
MAY_HOLD = (*MUST_HOLD, "placed_no_id", "placed", "paid", "delivered", "manual_review", "supplier_failed")
# Our side does not know yet, and says so: somebody is asking, or somebody must decide.
OPEN_QUESTION = ("placing", "unknown", "placed_no_id", "manual_review")
DUE_KIND = {
    "approved": "order.place",
    "placing": "order.place",
    "placed": "order.check",
    "paid": "order.check",
    "delivered": "order.check",
    "supplier_failed": "order.check",
}
ATTEMPT_OF = {"approved": {"ready"}, "placing": {"sending"}, "unknown": {"unknown"}, "placed_no_id": {"placed_no_id"}}


@dataclass
class World:
    """Both sides, read once."""

    remotes: Sequence[Remote]
    requests: Sequence[Remote]
    runner_lives: bool
    quiescent: bool
    orders: dict[uuid.UUID, Order] = field(default_factory=dict)
    accounts: dict[uuid.UUID, SupplierAccount] = field(default_factory=dict)
    attempts: dict[uuid.UUID, Attempt] = field(default_factory=dict)
    posts: list[Exchange] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.accounts = SupplierAccount.objects.in_bulk()
        self.orders = {one.pk: one for one in Order.objects.select_related("approval")}
        self.attempts = Attempt.objects.in_bulk()
        self.posts = list(Exchange.objects.filter(purpose="orders.place").order_by("started_at"))
        self.unclaimed = set(UnclaimedOrder.objects.values_list("account__dialect", "remote_id"))
        told = Resolution.objects.filter(state="confirmed", verdict="not_placed")
        self.ended_by_people = set(told.values_list("order_id", flat=True))
        self.by_request = {str(post.request_id): post for post in self.posts}
        self.by_remote_id = {
            (self.accounts[one.account_id].dialect, one.remote_id): one for one in self.orders.values() if one.remote_id
        }
        self.by_reference = {one.client_order_id: one for one in self.orders.values()}

    def keyed(self, account_id: uuid.UUID) -> bool:
        """Whether this account's supplier takes a key."""
        return bool(CLIENTS[self.accounts[account_id].dialect].idempotent)

    def sender_of(self, remote: Remote) -> Order | None:
        """The order of ours whose POST made the supplier's order, by the request's id, else by our reference."""
        post = self.by_request.get(remote.get("asked_by") or "")
        attempt = self.attempts.get(uuid.UUID(post.subject_id)) if post else None
        if attempt is not None:
            return self.orders[attempt.order_id]
        return self.by_reference.get(remote.get("client_order_id") or "")

    def bound_to(self, remote: Remote) -> Order | None:
        """The order of ours that carries the supplier's id."""
        return self.by_remote_id.get((remote["supplier"], remote["order_id"]))


def broken_invariants(
    supplier_orders: Sequence[Remote],
    *,
    quiescent: bool,
    supplier_requests: Sequence[Remote] = (),
    runner_lives: bool = True,
) -> list[str]:
    """Every invariant that does not hold now, in words with the ids; empty when all do.

    `quiescent`: nothing is under way, faults are healed, and reconciliation ran since. `supplier_requests` is the
    supplier's log of every request, for its windows (I7). `runner_lives`: the last round of a worker came to its end.
    """
    world = World(supplier_orders, supplier_requests, runner_lives, quiescent)
    checks: list[Callable[[World], Iterator[str]]] = [
        one_paid_order,
        nothing_unknown_to_us,
        ledger_adds_up,
        holds_fit_the_orders,
        codes_are_kept,
        nothing_sends_for_ever,
        only_listed_moves,
        windows_as_the_supplier_counts,
        frozen_lanes_are_silent,
        two_people,
        bytes_never_change,
    ]
    if quiescent:
        checks += [everything_waits_for_something, money_is_tied, books_agree]
    return [sentence for check in checks for sentence in check(world)]


def one_paid_order(world: World) -> Iterator[str]:
    """I1. A second paid order of one order of ours is a purchase nobody approved."""
    made: dict[uuid.UUID, list[str]] = defaultdict(list)
    for remote in world.remotes:
        order = world.sender_of(remote)
        if order is not None:
            made[order.pk].append(remote["order_id"])
    incidents = {remote_id for _, remote_id in world.unclaimed}
    for pk, remote_ids in made.items():
        unnamed = [one for one in remote_ids if one not in incidents]
        if len(remote_ids) > 1 and len(unnamed) > 1:
            yield f"I1: {world.orders[pk]} was bought {len(remote_ids)} times: {', '.join(remote_ids)}"


def named_unclaimed(world: World, remote: Remote) -> bool:
    """Whether a person was told of a supplier's order that no order of ours carries."""
    if (remote["supplier"], remote["order_id"]) in world.unclaimed:
        return True
    named = Difference.objects.filter(kind="missing_here", gone_at__isnull=True)
    return named.filter(sentence__contains=remote["order_id"]).exists()


def nothing_unknown_to_us(world: World) -> Iterator[str]:
    """I2. What the supplier took carries our order's id, or belongs to an open question, or was named to a person."""
    for remote in world.remotes:
        if world.bound_to(remote) is not None or named_unclaimed(world, remote):
            continue
        order = world.sender_of(remote)
        if order is None:
            yield f"I2: {remote['supplier']} has {remote['order_id']}, which no request of ours on record made"
        elif not (
            order.state in OPEN_QUESTION or is_queued_again(world, order) or is_peoples_error(world, order, remote)
        ):
            yield f"I2: {remote['supplier']} has {remote['order_id']} of {order}, which is “{order.state}” here"


def is_queued_again(world: World, order: Order) -> bool:
    """Where a key is taken, the same bytes may go out again."""
    return order.state == "approved" and world.keyed(order.account_id)


def is_peoples_error(world: World, order: Order, remote: Remote) -> bool:
    """Two people said that it was not placed. Reconciliation must find it; only what no list and no event names, it can't:
    there the money must show (T2)."""
    if order.pk not in world.ended_by_people:
        return False
    listed = CLIENTS[remote["supplier"]].lists_orders
    told = WebhookEvent.objects.filter(remote_order_id=remote["order_id"], result__in=["applied", "order_not_found"])
    return not world.quiescent or not (listed or told.exists())


def ledger_adds_up(world: World) -> Iterator[str]:
    """I3, T10. Every currency and entry sums to zero, balances are the sum of their lines, nothing is held negatively."""
    for row in Line.objects.values("currency", "layer").annotate(total=Sum("amount")).exclude(total=0):
        yield f"I3: the {row['layer']} lines in {row['currency']} sum to {row['total']} and not to zero"
    for entry in Line.objects.values("entry__key", "layer").annotate(total=Sum("amount")).exclude(total=0):
        yield f"I3: the {entry['layer']} lines of entry {entry['entry__key']} sum to {entry['total']} and not to zero"
    sums = {
        (row["account"], row["layer"]): row["total"]
        for row in Line.objects.values("account", "layer").annotate(total=Sum("amount"))
    }
    for balance in Balance.objects.select_related("account"):
        wanted = sums.get((balance.account_id, "settled"), 0), sums.get((balance.account_id, "held"), 0)
        if (balance.settled, balance.held) != wanted:
            yield f"I3: {balance.account.code} shows {balance.settled}, {balance.held}; its lines say {wanted}"
        if balance.account.role == "funds" and balance.held > 0:
            yield f"I3: {balance.account.code} has a negative hold of {balance.held}"


def open_holds() -> dict[str, int]:
    """How many holds each order has that nothing has ended, by its id."""
    rows = Entry.objects.filter(kind=HOLD, resolved_by=None, reference_kind="order")
    return dict(Counter(rows.values_list("reference_id", flat=True)))


def holds_fit_the_orders(world: World) -> Iterator[str]:
    """I3. No hold outlives its order, none is doubled, and nothing is sent without one (R90)."""
    holds = open_holds()
    for order in world.orders.values():
        count = holds.pop(str(order.pk), 0)
        if count > 1:
            yield f"I3: {order} has {count} holds"
        if count and order.state not in MAY_HOLD:
            yield f"I3: {order} is “{order.state}” and money is still held for it"
        if not count and order.state in MUST_HOLD:
            yield f"I3: {order} is “{order.state}” and no money is held for it"
    for order_id in holds:
        yield f"I3: money is held for {order_id}, which is no order"


def codes_are_kept(world: World) -> Iterator[str]:
    """I4. Each code is stored once; none that came is lost, and a complete order has them all."""
    for row in Code.objects.values("fingerprint").annotate(times=Count("pk")).filter(times__gt=1):
        yield f"I4: a code is stored {row['times']} times (index {bytes(row['fingerprint']).hex()[:8]})"
    stored = dict(Code.objects.values_list("order").annotate(times=Count("pk")))
    came = dict(Delivery.objects.values_list("order").annotate(times=Sum("count")))
    for order in world.orders.values():
        have = stored.get(order.pk, 0)
        if have != came.get(order.pk, 0):
            yield f"I4: {order} was delivered {came.get(order.pk, 0)} codes and {have} are stored"
        if order.state == "codes_stored" and have < order.quantity:
            yield f"I4: {order} counts as delivered with {have} of {order.quantity} codes"


def nothing_sends_for_ever(world: World) -> Iterator[str]:
    """I5. While a runner lives, an attempt whose worker died does not stay “sending”."""
    if not world.runner_lives:
        return
    seen = Loop.objects.order_by("-last_seen_at").values_list("last_seen_at", flat=True).first()
    for attempt in world.attempts.values():
        limit = (attempt.deadline or attempt.created_at) + SENDING_LIMIT
        if attempt.state == "sending" and seen is not None and seen > limit:
            yield f"I5: {attempt.pk} of {world.orders[attempt.order_id]} is sending since before {limit:%H:%M:%S}"


def only_listed_moves(world: World) -> Iterator[str]:
    """I6. Each step is in the table and on record, and the record leads to the present state."""
    yield from moves_of("orders.order", ORDER, world.orders.values(), "draft")
    yield from moves_of("orders.attempt", ATTEMPT, world.attempts.values(), "ready")


def moves_of(kind: str, machine: Machine, rows: Iterable[Any], first: str) -> Iterator[str]:
    listed = {(move.source, move.target, move.event) for move in machine.moves}
    steps: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for event in AuditEvent.objects.filter(subject_kind=kind).order_by("id"):
        if "to_state" in event.facts:
            steps[event.subject_id].append((event.facts["from_state"], event.facts["to_state"], event.action))
    for row in rows:
        state = first
        for source, target, action in steps[str(row.pk)]:
            if source != state:
                yield f"I6: {machine.name} {row} went from “{state}” to “{source}” and no record says so"
            if (source, target, action) not in listed:
                yield f"I6: {machine.name} {row} went from “{source}” to “{target}” by {action}, which is not listed"
            state = target
        if state != row.state:
            yield f"I6: {machine.name} {row} is “{row.state}”, the record ends at “{state}”"


def windows_as_the_supplier_counts(world: World) -> Iterator[str]:
    """I7. Never more arrivals in any 60 seconds than the supplier allows."""
    for supplier, (requests, orders) in MOST.items():
        mine = [row for row in world.requests if row["supplier"] == supplier]
        posts = [row for row in mine if row["method"] == "POST" and row["path"].endswith("/orders")]
        taken = [moment(row["created_at"]) for row in world.remotes if row["supplier"] == supplier]
        for what, limit, times in (
            ("requests", requests, [moment(row["at"]) for row in mine]),
            ("order POSTs", orders, [moment(row["at"]) for row in posts]),
            ("orders", orders, taken),
        ):
            most, end = fullest_window(times)
            if most > limit:
                yield f"I7: {supplier} saw {most} {what} in the 60 s up to {end:%H:%M:%S}, {limit} are allowed"


def moment(text: str) -> datetime:
    found = parse_datetime(text)
    if found is None:
        raise ValueError(f"{text} is no time.")
    return found


def fullest_window(times: Iterable[datetime]) -> tuple[int, datetime]:
    """The most moments in any sliding 60 s, and the last of them."""
    ordered, start, most, end = sorted(times), 0, 0, timezone.now()
    for number, at in enumerate(ordered):
        while at - ordered[start] >= WINDOW:
            start += 1
        if number - start + 1 > most:
            most, end = number - start + 1, at
    return most, end


def frozen_lanes_are_silent(world: World) -> Iterator[str]:
    """I8. While an order is unconfirmed at a supplier without keys, no paid POST goes to that account."""
    for account_id, attempt_id, start, end in frozen_times(world):
        for post in world.posts:
            inside = start < post.started_at and (end is None or post.started_at < end)
            if post.account_id == account_id and inside and post.sent is not False:
                yield (
                    f"I8: a paid POST ({post.request_id}) went to {world.accounts[account_id].code} at "
                    f"{post.started_at:%H:%M:%S} while attempt {attempt_id} was unconfirmed"
                )


def frozen_times(world: World) -> Iterator[tuple[uuid.UUID, uuid.UUID, datetime, datetime | None]]:
    """Account, attempt, since and until of each time an attempt without a key was unconfirmed."""
    since: dict[str, datetime] = {}
    ended: list[tuple[str, datetime, datetime | None]] = []
    for event in AuditEvent.objects.filter(subject_kind="orders.attempt").order_by("id"):
        if event.facts.get("to_state") == "unknown":
            since[event.subject_id] = event.at
        elif event.facts.get("from_state") == "unknown":
            ended.append((event.subject_id, since.pop(event.subject_id), event.at))
    for subject, start, end in [*ended, *((subject, start, None) for subject, start in since.items())]:
        attempt = world.attempts[uuid.UUID(subject)]
        if not world.keyed(attempt.account_id):
            yield attempt.account_id, attempt.pk, start, end


def two_people(world: World) -> Iterator[str]:
    """I9. Nothing was sent, and nothing unconfirmed was ended, on the word of the person who asked for it."""
    for attempt in world.attempts.values():
        order = world.orders[attempt.order_id]
        if attempt.sent_at is None:
            continue
        if order.approval is None:
            limit, _daily = limits_for(order.cost_currency)
            if order.requested_by_id is not None and order.max_total_minor > limit:
                yield f"I9: {order} was sent without the approval its amount needs"
        elif order.approval.state != "approved" or order.approval.decided_by_id in {None, order.requested_by_id}:
            yield f"I9: {order} was sent on the approval of {order.approval.decided_by or 'nobody'}"
    for verdict in Resolution.objects.filter(state="confirmed").select_related("order"):
        people = {verdict.proposed_by_id, verdict.decided_by_id} - {None}
        if len(people) != 2 or verdict.order.requested_by_id in people:
            yield f"I9: the outcome of {verdict.order} was not decided by two others than its requester"


def bytes_never_change(world: World) -> Iterator[str]:
    """R20, R21. What was stored with the approval is what would be sent again."""
    for attempt in world.attempts.values():
        if hashlib.sha256(bytes(attempt.body)).hexdigest() != attempt.body_sha256:
            yield f"I1: the stored bytes of attempt {attempt.pk} are not those of its checksum"
    keys = Counter(remote["idempotency_key"] for remote in world.remotes if remote.get("idempotency_key"))
    for key, times in keys.items():
        if times > 1:
            yield f"I1: the supplier took key {key} for {times} orders"


def everything_waits_for_something(world: World) -> Iterator[str]:
    """I10, T3. At rest, whatever is not settled has a due time or people who must act, and both are able to."""
    due = set(DueWork.objects.values_list("kind", "ref"))
    by_order: dict[uuid.UUID, set[str]] = defaultdict(set)
    for attempt in world.attempts.values():
        by_order[attempt.order_id].add(attempt.state)
    for order in world.orders.values():
        kind = DUE_KIND.get(order.state)
        if kind and (kind, str(order.pk)) not in due:
            yield f"I10: {order} is “{order.state}” and nothing is due for it"
        wanted = ATTEMPT_OF.get(order.state)
        if wanted and not wanted & by_order[order.pk]:
            yield f"I10: {order} is “{order.state}” and its attempts are {sorted(by_order[order.pk])}"
        if order.state == "pending_approval" and (order.approval is None or order.approval.state != "open"):
            yield f"I10: {order} waits for an approval that nobody can give"
    yield from idle_lanes(world)
    for event in WebhookEvent.objects.filter(result="being_handled"):
        if ("order.hint", f"{event.account_id}:{event.remote_order_id}") not in due:
            yield f"I10: event {event.pk} of {event.remote_order_id} is being handled and nothing is due for it"


def idle_lanes(world: World) -> Iterator[str]:
    for lane in Lane.objects.exclude(holder=None):
        holder = world.attempts[lane.holder_id] if lane.holder_id else None
        if holder is not None and holder.state not in {"ready", "sending", "unknown", "placed_no_id"}:
            order = world.orders[holder.order_id]
            yield f"I10: the lane of {lane.account} is held by an attempt of {order} that is “{holder.state}”"


def untied_money(world: World) -> Iterator[tuple[Remote, int]]:
    """T2: what the supplier took, less what it gave back, for orders that nothing here names; minor units."""
    for remote in world.remotes:
        order = world.bound_to(remote) or world.sender_of(remote)
        open_question = order is not None and order.state in OPEN_QUESTION
        if world.bound_to(remote) is None and not open_question and not named_unclaimed(world, remote):
            yield remote, minor(remote, "total") - minor(remote, "refunded")


def minor(remote: Remote, name: str) -> int:
    return parse_amount(remote[name], remote["currency"])


def named_by_balance(world: World) -> dict[str, int]:
    """What open differences of the balance name for each supplier, in minor units; negative: the supplier has less."""
    rows = Difference.objects.filter(kind__in=["balance", "carried"], gone_at__isnull=True).order_by("day__day")
    latest = {(row.day.account_id, row.kind): row for row in rows.select_related("day")}
    newest = {account: max(row.day.day for (who, _), row in latest.items() if who == account) for account, _ in latest}
    named: dict[str, int] = defaultdict(int)
    for (account, _kind), row in latest.items():
        if row.day.day == newest[account]:
            named[world.accounts[account].dialect] += row.amount_minor
    return named


def money_is_tied(world: World) -> Iterator[str]:
    """T2. Money the supplier took is tied to an order, or shown to finance to the cent."""
    untied: dict[str, list[tuple[Remote, int]]] = defaultdict(list)
    for remote, amount in untied_money(world):
        untied[remote["supplier"]].append((remote, amount))
    named = named_by_balance(world)
    for supplier, found in untied.items():
        total = sum(amount for _, amount in found)
        if total and named.get(supplier, 0) != -total:
            ids = ", ".join(remote["order_id"] for remote, _ in found)
            yield f"T2: {supplier} took {total} minor units for {ids}, tied to no order and not shown"


def books_agree(world: World) -> Iterator[str]:
    """T10. A settled order's booked cost is the supplier's, or the difference is named on a reconciliation day."""
    for remote in world.remotes:
        order = world.bound_to(remote)
        if order is None or order.state not in {"codes_stored", "refunded"}:
            continue
        theirs = minor(remote, "total") - minor(remote, "refunded")
        ours = (order.total_cost_minor or 0) - order.refunded_minor
        if order.state == "refunded" and order.total_cost_minor is None:
            ours = 0
        named = Difference.objects.filter(order=order, gone_at__isnull=True).exists()
        if ours != theirs and not named:
            yield f"T10: {order} ({remote['order_id']}) cost {ours} in our books and {theirs} at the supplier"
