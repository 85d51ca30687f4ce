"""What is known of an order nobody is sure of, and which verdict it speaks for. Reads rows only; asks no supplier.

Amounts are minor units of the order's currency, times UTC. Pages draw it, services rule by it, nobody writes it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from procurement.bookkeeping.balances import explained_at
from procurement.orders.fitting import Told, misfits, mistimed, overcharge, unstated
from procurement.orders.models import Attempt, Order, UnclaimedOrder
from procurement.suppliers.models import BalanceSnapshot, Exchange
from procurement.suppliers.queries import unmatched_events

# How often and how long a balance must stand still before it says that nothing was bought.
ENOUGH_READINGS = 3
PATIENCE = timedelta(minutes=15)
MOST_LAG = timedelta(hours=12)
# Events and orders this long before the sending belong to something else; a day later too.
BEFORE_SENDING = timedelta(minutes=5)
WINDOW = timedelta(hours=24)
PLACED, NOT_PLACED, PAID_NO_GOODS = "placed", "not_placed", "paid_no_goods"
REFUNDED, ACCEPTED, ASK = "refunded", "accepted", "ask"


@dataclass(frozen=True)
class Call:
    """One HTTP call of an attempt, with our request id and the supplier's response id (empty if it gave none)."""

    at: datetime
    request_id: str
    response_id: str
    status: int | None
    outcome: str


@dataclass(frozen=True)
class AttemptSeen:
    """One intended paid POST and every call that was made for it; `key_fingerprint` is eight characters for the phone."""

    number: int
    state: str
    key_fingerprint: str
    sent_at: datetime | None
    verdict: str
    calls: tuple[Call, ...]


@dataclass(frozen=True)
class Reading:
    """One reading of the balance after the sending.

    `explained` is what our ledger says it changed since before the sending; `missing` is what it lacks beyond that
    (negative: it has more), None when the balance before was not read.
    """

    at: datetime
    available: int
    explained: int
    missing: int | None


@dataclass(frozen=True)
class Candidate:
    """A supplier's order that no order of ours carries, beside this one.

    `against` are the fields that differ, `unsaid` those that the supplier does not state; `read` is False when all we
    have is an id. `signed` is how many events with a right signature name it.
    """

    remote_id: str
    told: Told
    read: bool
    signed: int
    first_seen_at: datetime
    against: tuple[str, ...]
    unsaid: tuple[str, ...]
    unclaimed: UnclaimedOrder | None

    @property
    def fits(self) -> bool:
        """Whether nothing that is known of it speaks against."""
        return self.read and not self.against

    @property
    def proves(self) -> bool:
        """Whether every field that could differ is stated and agrees."""
        return self.fits and not self.unsaid


@dataclass(frozen=True)
class Proposal:
    """A verdict the evidence speaks for, what it means, and who may act; `by_system` when the desk does it itself."""

    verdict: str
    remote_id: str
    means: str
    who: str
    by_system: bool = False


@dataclass(frozen=True)
class Evidence:
    """Everything that may tell what became of one order; `cost` is the most it may cost, `costs` what it would be charged."""

    order: Order
    currency: str
    cost: int
    costs: frozenset[int]
    patience: timedelta
    sent_at: datetime | None
    balance_before: int | None
    attempts: tuple[AttemptSeen, ...]
    readings: tuple[Reading, ...]
    candidates: tuple[Candidate, ...]

    @property
    def missing(self) -> int | None:
        """What the last reading lacks beyond what our ledger explains; None if that is not known."""
        return self.readings[-1].missing if self.readings else None

    @property
    def fell(self) -> bool:
        """Whether exactly what the order would be charged is missing."""
        return self.missing in self.costs

    @property
    def watched(self) -> timedelta:
        """From the sending to the last reading."""
        return self.readings[-1].at - self.sent_at if self.readings and self.sent_at else timedelta(0)

    @property
    def enough(self) -> bool:
        """Whether the balance was read often and long enough for its standing still to count."""
        return len(self.readings) >= ENOUGH_READINGS and self.watched >= self.patience

    @property
    def still(self) -> bool:
        """Whether nothing was missing at any reading."""
        return bool(self.readings) and all(reading.missing == 0 for reading in self.readings)

    @property
    def fitting(self) -> tuple[Candidate, ...]:
        return tuple(candidate for candidate in self.candidates if candidate.fits)

    @property
    def unread(self) -> tuple[Candidate, ...]:
        return tuple(candidate for candidate in self.candidates if not candidate.read)


def in_question(order: Order) -> Attempt | None:
    """The attempt whose answer is missing: the last one that went out."""
    return order.attempts.filter(sent_at__isnull=False).order_by("-number").first()


def patience_at(order: Order) -> timedelta:
    """How long the balance must stand still: 15 minutes, or twice what `settings["posting_lag_minutes"]` says."""
    told = order.account.settings.get("posting_lag_minutes", 0)
    lag = timedelta(minutes=told) if isinstance(told, int) and not isinstance(told, bool) else timedelta(0)
    return max(PATIENCE, 2 * min(lag, MOST_LAG))


def evidence_of(order: Order) -> Evidence:
    """Collect what is on record now. The number of queries does not grow with the readings or candidates."""
    attempt = in_question(order)
    readings = readings_since(order, attempt) if attempt else ()
    return Evidence(
        order=order,
        currency=order.cost_currency,
        cost=order.max_total_minor,
        costs=costs_of(order, attempt),
        patience=patience_at(order),
        sent_at=attempt.sent_at if attempt else None,
        balance_before=attempt.balance_before_minor if attempt else None,
        attempts=attempts_seen(order),
        readings=readings,
        candidates=candidates_for(order, attempt) if attempt else (),
    )


def costs_of(order: Order, attempt: Attempt | None) -> frozenset[int]:
    """What the supplier would charge: the agreed total, and it less a discount tier seen around the sending.

    A supplier may round for each code or once for all.
    """
    rows = BalanceSnapshot.objects.filter(account_id=order.account_id, currency=order.cost_currency)
    since = (attempt.sent_at if attempt else None) or timezone.now()
    around = rows.filter(taken_at__gt=since - WINDOW, taken_at__lt=since + WINDOW, tier_discount_bp__gt=0)
    found = {order.max_total_minor}
    for basis_points in around.order_by().values_list("tier_discount_bp", flat=True).distinct():
        found |= {
            less(order.max_total_minor, basis_points),
            less(order.unit_cost_minor, basis_points) * order.quantity,
        }
    return frozenset(found)


def less(minor: int, basis_points: int | None) -> int:
    """An amount less a discount, rounded half up to whole minor units."""
    return minor - (minor * (basis_points or 0) + 5000) // 10000


def attempts_seen(order: Order) -> tuple[AttemptSeen, ...]:
    attempts = list(order.attempts.order_by("number"))
    ids = [str(attempt.pk) for attempt in attempts]
    rows = Exchange.objects.filter(subject_kind="orders.attempt", subject_id__in=ids).order_by("started_at")
    calls: dict[str, list[Call]] = {}
    for row in rows.defer("request_body", "response_body"):
        call = Call(row.started_at, str(row.request_id), row.response_id, row.status, row.outcome)
        calls.setdefault(row.subject_id, []).append(call)
    return tuple(
        AttemptSeen(
            number=attempt.number,
            state=attempt.state,
            key_fingerprint=hashlib.sha256(attempt.idempotency_key.encode()).hexdigest()[:8],
            sent_at=attempt.sent_at,
            verdict=attempt.verdict,
            calls=tuple(calls.get(str(attempt.pk), ())),
        )
        for attempt in attempts
    )


def readings_since(order: Order, attempt: Attempt) -> tuple[Reading, ...]:
    """Every reading of the account's balance after the sending, oldest first."""
    if attempt.sent_at is None:
        return ()
    rows = BalanceSnapshot.objects.filter(
        account_id=order.account_id, currency=order.cost_currency, taken_at__gt=attempt.sent_at
    )
    taken = list(rows.order_by("taken_at", "pk").values_list("taken_at", "available"))
    explained = explained_at(order.account.code, order.cost_currency, attempt.sent_at, [at for at, _ in taken])
    before = attempt.balance_before_minor
    return tuple(
        Reading(at, available, known, None if before is None else before + known - available)
        for (at, available), known in zip(taken, explained, strict=True)
    )


def candidates_for(order: Order, attempt: Attempt) -> tuple[Candidate, ...]:
    """Supplier's orders of this account and time that nobody claims, from rows of their own and from signed events."""
    if attempt.sent_at is None:
        return ()
    since = attempt.sent_at - BEFORE_SENDING
    events: dict[str, list[datetime]] = {}
    for event in unmatched_events(order.account_id, since, attempt.sent_at + WINDOW):
        events.setdefault(event.remote_order_id, []).append(event.received_at)
    rows = UnclaimedOrder.objects.filter(account_id=order.account_id, state="open", first_seen_at__gte=since)
    unclaimed = {row.remote_id: row for row in rows}
    known = UnclaimedOrder.objects.filter(account_id=order.account_id, remote_id__in=events).exclude(state="open")
    ended = set(known.values_list("remote_id", flat=True))
    ids = sorted(
        {*unclaimed, *events} - ended,
        key=lambda one: (unclaimed[one].first_seen_at if one in unclaimed else events[one][0], one),
    )
    return tuple(beside(order, attempt, one, unclaimed.get(one), events.get(one, [])) for one in ids)


def beside(
    order: Order, attempt: Attempt, remote_id: str, row: UnclaimedOrder | None, events: list[datetime]
) -> Candidate:
    """One of them compared with our order, field by field."""
    told, read = told_of(row), row is not None and row.read_at is not None
    against: list[str] = []
    if read and attempt.sent_at is not None:
        late = mistimed(attempt.sent_at, attempt.deadline or attempt.sent_at, told.created_at)
        above = overcharge(order, told, order.max_total_minor)
        against = [*misfits(order, told), *filter(None, [above, late])]
    return Candidate(
        remote_id=remote_id,
        told=told,
        read=read,
        signed=len(events),
        first_seen_at=row.first_seen_at if row else events[0],
        against=tuple(against),
        unsaid=tuple(unstated(told, told.created_at)),
        unclaimed=row,
    )


def told_of(row: UnclaimedOrder | None) -> Told:
    """What was read of a supplier's order, in the form in which it is compared."""
    if row is None:
        return Told()
    return Told(
        external_id=row.external_id,
        region=row.region,
        denomination=row.denomination,
        quantity=row.quantity,
        currency=row.currency,
        total=row.total_minor,
        client_order_id=row.client_order_id,
        created_at=row.created_at,
    )


def proposals_for(evidence: Evidence) -> tuple[Proposal, ...]:
    """What the evidence speaks for, the strongest first; never empty: at the least, that the supplier is asked."""
    fitting, missing = evidence.fitting, evidence.missing
    ours = [one for one in evidence.candidates if one.told.client_order_id == evidence.order.client_order_id]
    if len(ours) == 1 and ours[0].proves:
        return (bound_to(ours[0], by_system=True),)
    if len(fitting) == 1 and (missing == fitting[0].told.total or (fitting[0].told.total is None and evidence.fell)):
        return (bound_to(fitting[0]),)
    if evidence.fell and not evidence.candidates:
        means = "The money is gone and no goods are known. It is booked as paid, goods not received, until an id or a refund comes."
        return (Proposal(PAID_NO_GOODS, "", means, TWO_PEOPLE), asking())
    if evidence.still and evidence.enough and not evidence.candidates:
        means = "The supplier did not take it. The held money is free again; the buyer may order anew."
        return (Proposal(NOT_PLACED, "", means, TWO_PEOPLE),)
    return (asking(),)


TWO_PEOPLE = "support proposes, finance confirms; neither asked for the order"


def asking() -> Proposal:
    means = "It can not be told from here. Ask the supplier; then two people decide, with a note of what they know."
    return Proposal(ASK, "", means, TWO_PEOPLE)


def bound_to(candidate: Candidate, *, by_system: bool = False) -> Proposal:
    """The one order that fits. The desk binds it alone only on a full match that carries our own order id, or that a
    signed event named and the balance bears out."""
    alone = by_system or (candidate.proves and candidate.signed > 0)
    means = f"It is {candidate.remote_id}: it is followed from there, its cost is booked and its codes are fetched."
    return Proposal(PLACED, candidate.remote_id, means, "the desk, by itself" if alone else TWO_PEOPLE, alone)


def objections_to(evidence: Evidence, verdict: str) -> list[str]:
    """What speaks against a verdict that moves or frees money without a supplier's order id, each as a sentence."""
    if verdict == NOT_PLACED:
        return [*against_standing_still(evidence), *against_nobody(evidence)]
    if verdict == PAID_NO_GOODS:
        moved = [] if evidence.fell else ["The balance does not lack exactly what this order costs."]
        return [*moved, *against_nobody(evidence)]
    return []


def against_standing_still(evidence: Evidence) -> list[str]:
    """No amount is named: whoever proposes may not see costs."""
    found = []
    if evidence.balance_before is None:
        found.append("The balance before the sending is not known.")
    elif not evidence.still and evidence.readings:
        found.append("The balance moved by something that our ledger does not explain.")
    if not evidence.enough:
        minutes, needed = int(evidence.watched.total_seconds() // 60), int(evidence.patience.total_seconds() // 60)
        found.append(
            f"The balance was read {len(evidence.readings)} times in {minutes} minutes after the sending; "
            f"{ENOUGH_READINGS} times over {needed} minutes would say more."
        )
    return found


def against_nobody(evidence: Evidence) -> list[str]:
    open_ones = [one.remote_id for one in evidence.candidates if one.fits or not one.read]
    return [f"No order of ours claims {one}, and it may be this one." for one in open_ones]


def unknown_since(order: Order) -> datetime:
    """From when on nobody knows; for the clock that calls people after a day."""
    attempt = in_question(order)
    return (attempt.sent_at if attempt else None) or order.approved_at or timezone.now()
