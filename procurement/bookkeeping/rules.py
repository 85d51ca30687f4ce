"""What each kind of movement means: when it is booked, which accounts it moves, and who asked for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One kind of entry. `debit` and `credit` name two of its four accounts; `layer` is what moves."""

    kind: str
    label: str
    when: str
    debit: str
    credit: str
    layer: str
    source: str


HOLD, RELEASE, PURCHASE, REFUND = "hold", "release", "purchase", "refund"
DEPOSIT, CREDIT, ATTEMPT, DELIVERY = "deposit", "credit", "attempt", "delivery"
UNRECEIVED, RECEIVED, RETURNED = "unreceived", "received", "returned"
CORRECTION = "correction"

RULES = (
    Rule(
        DEPOSIT,
        "Deposit",
        "the supplier credited what finance announced: its balance shows it, or a second person confirms it",
        "funds",
        "deposits",
        "settled",
        "R83, N7, N8",
    ),
    Rule(HOLD, "Held for an order", "an order is released for placing", "purchases", "funds", "held", "R85, R90"),
    Rule(
        RELEASE,
        "Attempt failed, hold ended",
        "the order was not taken, or was cancelled; the reason is the memo",
        "funds",
        "purchases",
        "held",
        "R29, R83",
    ),
    Rule(
        PURCHASE,
        "Purchase",
        "the supplier took the order: ends the hold and books the true cost",
        "purchases",
        "funds",
        "settled, and the hold back",
        "R83, R93",
    ),
    Rule(
        UNRECEIVED,
        "Paid, goods not received",
        "two people agree that the supplier took the money and no order of it is known: ends the hold",
        "unreceived",
        "funds",
        "settled, and the hold back",
        "R26, R83",
    ),
    Rule(
        RECEIVED,
        "Goods found",
        "the supplier's order is known after all: what was paid becomes a purchase; a difference moves the funds",
        "purchases",
        "unreceived",
        "settled",
        "R26, R83",
    ),
    Rule(
        RETURNED,
        "Paid back, goods not received",
        "two people agree that the supplier paid back what it never delivered",
        "funds",
        "unreceived",
        "settled",
        "R72",
    ),
    Rule(REFUND, "Refund", "the supplier pays a failed order back", "funds", "purchases", "settled", "R72"),
    Rule(CREDIT, "Credit for a claim", "the supplier credits a claimed code", "funds", "purchases", "settled", "R72"),
    Rule(
        CORRECTION,
        "Correction",
        "two people agree on what nothing else books, such as a fee: a charge as shown here, a credit the other way round",
        "fees, purchases or deposits",
        "funds",
        "settled",
        "R84, R88",
    ),
    Rule(ATTEMPT, "Failed attempt", "an attempt failed while nothing was held", "none", "none", "memo on funds", "R83"),
    Rule(
        DELIVERY,
        "Codes delivered",
        "codes were stored: their number and the delivery's checksum, never a code",
        "none",
        "none",
        "memo on funds",
        "R64, R83",
    ),
)
KINDS = {rule.kind: rule for rule in RULES}

# These count for the UTC day they name, also when they are recorded later.
BY_DAY = (DEPOSIT, CORRECTION)
# What a correction may be booked against.
AGAINST = {
    "fees": "Fees: charged or given back without an order",
    "purchases": "Purchases: an order cost more or less than booked",
    "deposits": "Deposits: money came in or went back",
}

# What a reader of the ledger looks for. A failed attempt is one with money set aside, or without.
GROUPS = {
    "deposits": ("Deposits", (DEPOSIT,)),
    "orders": ("Orders paid", (PURCHASE, UNRECEIVED, RECEIVED)),
    "remedies": ("Refunds and credits", (REFUND, CREDIT, RETURNED)),
    "corrections": ("Corrections", (CORRECTION,)),
    "holds": ("Holds", (HOLD,)),
    "failed": ("Failed attempts", (RELEASE, ATTEMPT)),
    "codes": ("Delivered codes", (DELIVERY,)),
}

ACCOUNTS = {
    "funds": ("funds", "our money at the supplier; may not go below zero"),
    "purchases": ("cost", "what was spent there, less refunds and credits"),
    "deposits": ("external", "where the money came from"),
    "suspense": ("suspense", "charged by the supplier beyond the funds we know of; the next money in pays it first"),
}
WHEN_NEEDED = {
    "fees": ("cost", "charged without an order, and what a correction leaves over"),
    "unreceived": ("receivable", "paid, goods not received: what the supplier owes us an order id or a refund for"),
}

PAGE = """\
<!-- Written by `python3 dev.py manage docs`; change the code, not this page. -->

# Postings

Every movement of money is booked by `procurement/bookkeeping/postings.py` and by nothing else. A debit is positive, a
credit negative, and an entry adds up to zero. Amounts are whole minor units of one currency; no entry and no total
mixes currencies.

Each supplier account has these accounts in each currency, opened when first needed (the last two only by their own rules):

| account | role | holds |
| --- | --- | --- |
{accounts}

| kind | shown as | when | debit | credit | layer | requirement |
| --- | --- | --- | --- | --- | --- | --- |
{rules}

An entry names its order by `reference`, and the key names its cause, so that the same cause is booked once:
`order:<id>:hold:<n>`, `order:<id>:release:<n>`, `order:<id>:purchase`, `order:<id>:refund:<paid back in all>`,
`order:<id>:unreceived`, `order:<id>:returned`,
`order:<id>:attempt:<n>`, `delivery:<id>`, `claim:<id>:credit`, `deposit:<id>`, `correction:<id>`.

Deposits and corrections count for the UTC day they belong to, also when they are recorded later; everything else counts
from the moment it was recorded.

Free = settled + held, and the database refuses a hold that would take it below zero. A charge that the supplier made
although our funds do not cover it is a fact all the same: the part beyond the funds is booked to `suspense`, which
shows in reconciliation until a deposit or refund pays it.
"""


def as_markdown() -> str:
    """docs/postings.md."""
    accounts = [
        f"| `<supplier account>:<currency>:{name}` | {role} | {holds} |"
        for name, (role, holds) in (ACCOUNTS | WHEN_NEEDED).items()
    ]
    rules = [
        f"| {rule.kind} | {rule.label} | {rule.when} | {rule.debit} | {rule.credit} | {rule.layer} | {rule.source} |"
        for rule in RULES
    ]
    return PAGE.format(accounts="\n".join(accounts), rules="\n".join(rules))
