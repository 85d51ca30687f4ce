"""The evidence of one order as its page draws it: the answer in a sentence, the picture, what nobody claims, what it means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from ledger.money import format_amount
from procurement.orders.evidence import (
    NOT_PLACED,
    PAID_NO_GOODS,
    PLACED,
    Candidate,
    Evidence,
    Reading,
    objections_to,
    proposals_for,
)
from procurement.orders.fitting import face_of, mistimed
from procurement.orders.models import Order
from procurement.orders.states import UNCONFIRMED
from procurement.web.clock import span_words, stamp
from procurement.web.parts import Level

SHOWN_READINGS = 12


# The balance


@dataclass(frozen=True)
class Picture:
    """The balance around the sending, each reading less what our ledger explains; amounts in minor units."""

    evidence: Evidence
    sent_at: datetime
    readings: list[Reading]

    @property
    def before(self) -> int | None:
        return self.evidence.balance_before

    @property
    def points(self) -> list[tuple[datetime, float, str]]:
        if self.before is None or not self.readings:
            return []
        currency = self.evidence.currency
        first = (self.sent_at, float(self.before), f"before sending: {format_amount(self.before, currency)} {currency}")
        return [first, *(self.point(reading, self.before) for reading in self.readings)]

    def point(self, reading: Reading, before: int) -> tuple[datetime, float, str]:
        text = f"{format_amount(reading.available, self.evidence.currency)} {self.evidence.currency}"
        return reading.at, float(before - (reading.missing or 0)), f"{stamp(reading.at, seconds=True)}: {text}"

    @property
    def levels(self) -> list[Level]:
        before, currency = self.before or 0, self.evidence.currency
        after = before - self.evidence.cost
        return [
            Level(f"{format_amount(before, currency)}: it stays here if the order was not taken", before),
            Level(f"{format_amount(after, currency)}: it falls at most to here if it was", after, "attention"),
        ]

    @property
    def mark(self) -> tuple[datetime, str]:
        return self.sent_at, f"sent {stamp(self.sent_at, seconds=True)}"

    @property
    def title(self) -> str:
        return f"The balance of the account before and after the order was sent. {balance_words(self.evidence)}"


def picture_of(evidence: Evidence) -> Picture | None:
    """None for an order that never went out."""
    return Picture(evidence, evidence.sent_at, thinned(list(evidence.readings))) if evidence.sent_at else None


def thinned(rows: list[Reading]) -> list[Reading]:
    """At most twelve: the first, the first that shows each step, the last, and others evenly between."""
    if len(rows) <= SHOWN_READINGS:
        return rows
    steps = [i for i in range(1, len(rows)) if rows[i].missing != rows[i - 1].missing]
    kept = {0, len(rows) - 1, *steps[: SHOWN_READINGS // 2]}
    free = SHOWN_READINGS - len(kept)
    kept |= {round(i * (len(rows) - 1) / (free + 1)) for i in range(1, free + 1)}
    return [rows[i] for i in sorted(kept)]


def fell(evidence: Evidence) -> bool:
    """Whether something is missing that this order may have cost: a price may have fallen, never risen (decision 6)."""
    return evidence.missing is not None and 0 < evidence.missing <= evidence.cost


def balance_words(evidence: Evidence) -> str:
    """What the balance says, without an amount: everybody may read it."""
    if evidence.missing is None:
        return "The balance was not read on both sides of the sending, so it says nothing."
    if evidence.still:
        times = f"{len(evidence.readings)} {'reading' if len(evidence.readings) == 1 else 'readings'}"
        return f"The balance did not move in {times} over {span_words(evidence.watched)[1]}."
    if evidence.fell:
        return "The balance fell by exactly what this order costs."
    if fell(evidence):
        return "The balance fell, by less than this order may cost: as if it was taken at a lower price."
    if evidence.missing == 0:
        return "The balance fell and came back."
    return "The balance moved by something that is not this order, and that our ledger does not explain."


# What nobody claims


@dataclass(frozen=True)
class Compared:
    """One field of a supplier's order beside the same of ours; `fits` None where the supplier does not state it."""

    label: str
    ours: str
    theirs: str
    fits: bool | None


def compared(evidence: Evidence, candidate: Candidate, *, with_cost: bool) -> list[Compared]:
    """The fields of one candidate, in the order in which people check them; the total for those who may see costs."""
    order, told = evidence.order, candidate.told
    sent = evidence.sent_at or order.created_at
    face = face_of(order)
    fields = [
        field("Our order id", order.client_order_id, told.client_order_id),
        field("Product", order.product.external_id, told.external_id),
        field("Region", order.region, told.region),
        field(
            "Face value",
            plain(face),
            "" if told.denomination is None else plain(told.denomination),
            told.denomination == face,
        ),
        field("Quantity", str(order.quantity), "" if told.quantity is None else str(told.quantity)),
    ]
    if with_cost:
        fields.append(total_field(evidence, candidate))
    made = stamp(told.created_at, seconds=True) if told.created_at else ""
    fields.append(field("Time", f"sent {stamp(sent, seconds=True)}", made, not mistimed(sent, sent, told.created_at)))
    return fields


def plain(number: Decimal) -> str:
    """`50` and `49.99`, without empty decimals."""
    return f"{number.normalize():f}"


def field(label: str, ours: str, theirs: str, fits: bool | None = None) -> Compared:
    """Equal text fits unless `fits` says otherwise; an unstated field says nothing."""
    if not theirs:
        return Compared(label, ours, "not stated", None)
    return Compared(label, ours, theirs, ours == theirs if fits is None else fits)


def total_field(evidence: Evidence, candidate: Candidate) -> Compared:
    told, currency = candidate.told, evidence.currency
    theirs = (
        ""
        if told.total is None
        else f"{format_amount(told.total, told.currency or currency)} {told.currency or currency}"
    )
    fits = told.total is not None and told.total <= evidence.cost and told.currency in ("", currency)
    return field("Total", f"at most {format_amount(evidence.cost, currency)} {currency}", theirs, fits)


# What it all means


@dataclass(frozen=True)
class Answer:
    """The first sentence of the sheet: was it placed? `weight` says how much that is worth."""

    words: str
    weight: str


# By what the balance says and how many supplier orders fit (two stands for more).
ANSWERS = {
    ("fell", 0): Answer(
        "Probably yes: the balance fell by what it may cost. No supplier's order is known for it yet.",
        "fair, one finding; only the supplier can name the order",
    ),
    ("fell", 1): Answer(
        "Almost certainly yes: the balance fell by what it may cost, and one order that nobody claims fits it.",
        "strong, two independent findings agree",
    ),
    ("fell", 2): Answer(
        "Yes, it seems: the balance fell by what it may cost. But several orders that nobody claims could be it.",
        "fair, paid but not known as which order",
    ),
    ("still", 0): Answer(
        "Probably not: the balance did not move, and nobody names an order that could be it.",
        "fair; a supplier may still book later than it ever did",
    ),
    ("still", 1): Answer(
        "The evidence contradicts itself: an order that nobody claims fits, yet the balance did not move. Ask the supplier.",
        "none, the findings disagree",
    ),
    ("silent", 0): Answer(
        "Not known: the balance was not read on both sides of the sending, and nobody names an order.", "none"
    ),
    ("silent", 1): Answer(
        "Perhaps: an order that nobody claims fits, but the balance was not read on both sides of the sending.",
        "weak, one message",
    ),
}
OTHERWISE = Answer(
    "Not known: the balance moved by something else than this order, or several orders could be it. Ask the supplier.",
    "none, this can not be told from here",
)


def answer_of(evidence: Evidence) -> Answer:
    """Was it placed? In words, from what the balance did and which supplier orders nobody claims."""
    order = evidence.order
    if order.state not in UNCONFIRMED:
        return Answer(f"Decided: it is “{order.status.label}” now.", "closed")
    if order.state == "placed_no_id":
        return Answer("Yes: the supplier said so, but it named no order id that can be read.", "strong, its own answer")
    if order.remote_id:
        told = f"Yes, as {order.remote_id}; but what the supplier says of it does not fit what was agreed."
        return Answer(told, "strong, its own record")
    return answer_from(evidence)


def answer_from(evidence: Evidence) -> Answer:
    many = min(len(evidence.fitting), 2)
    balance = (
        "silent" if evidence.missing is None else "fell" if fell(evidence) else "still" if evidence.still else "odd"
    )
    if balance == "still" and many == 0 and (evidence.unread or not evidence.enough):
        return too_soon(evidence)
    return ANSWERS.get((balance, many), OTHERWISE)


def too_soon(evidence: Evidence) -> Answer:
    """Nothing points to a purchase, but not everything has been looked at."""
    if evidence.unread:
        ids = ", ".join(one.remote_id for one in evidence.unread)
        return Answer(
            f"Not known yet: {ids}, which nobody claims, was not read yet and may be it.", "weak, not all is read"
        )
    needed = f"three readings over {span_words(evidence.patience)[1]}"
    words = f"Not known yet: nothing points to a purchase so far. Suppliers book late, so the balance counts after {needed}."
    return Answer(words, "weak, too few readings yet")


@dataclass(frozen=True)
class Meaning:
    """What a finding would mean, and whether it is so here."""

    finding: str
    means: str
    here: bool


FINDINGS = {
    PLACED: (
        "One supplier order that nobody claims fits, and the balance fell by its cost",
        "It was placed, and that is its order. Bind it: it is followed from there, and its codes are fetched.",
    ),
    PAID_NO_GOODS: (
        "The balance fell by exactly the cost, and no supplier order is known",
        "It was paid, and the goods are missing. Ask the supplier for the order id, or its money back.",
    ),
    NOT_PLACED: (
        "The balance stood still often and long enough, and nobody names an order",
        "It was not placed. The held money is free again, and the buyer may order anew.",
    ),
}
NO_FINDING = (
    "Anything else: another sum, several orders that could be it, or findings that disagree",
    "It can not be told from here. Ask the supplier, and decide by its answer.",
)


def meanings_of(evidence: Evidence) -> list[Meaning]:
    """Every finding that there can be and what it would mean; exactly one is so."""
    strongest = proposals_for(evidence)[0].verdict
    found = [Meaning(finding, means, verdict == strongest) for verdict, (finding, means) in FINDINGS.items()]
    return [*found, Meaning(*NO_FINDING, here=strongest not in FINDINGS)]


@dataclass(frozen=True)
class Choice:
    """A verdict somebody may propose, what happens once it is confirmed, and what speaks against it now."""

    verdict: str
    words: str
    does: str
    against: list[str]


CHOICES = {
    PLACED: (
        "The supplier took it, under this order id",
        "It is bound to that order and followed from there; its cost is booked and its codes are fetched. The supplier's "
        "record is read first, and nothing happens if it does not fit.",
    ),
    NOT_PLACED: (
        "The supplier did not take it",
        "The held money is free again and the account takes orders again. Nothing is sent: the buyer may order anew.",
    ),
    PAID_NO_GOODS: (
        "The supplier took the money, and the goods were not received",
        "The money is booked as paid without goods, and the account takes orders again. The order stays open until an order "
        "id or a refund is known.",
    ),
    "refunded": (
        "The supplier paid it back",
        "The refund is booked, and the order ends. Nothing is sent: the buyer may order anew.",
    ),
    "accepted": (
        "What the supplier says is accepted",
        "The order goes on from there as it stands in the books.",
    ),
}


def choices_of(evidence: Evidence, verdicts: tuple[str, ...]) -> list[Choice]:
    return [Choice(verdict, *CHOICES[verdict], against=objections_to(evidence, verdict)) for verdict in verdicts]


def is_doubtful(order: Order) -> bool:
    """Whether it is open if the supplier took the order at all."""
    return order.state in UNCONFIRMED and order.state != "placed_no_id" and not order.remote_id
