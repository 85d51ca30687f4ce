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

RULES = (
    Rule(
        DEPOSIT, "Deposit", "finance records money the supplier credited", "funds", "deposits", "settled", "R83, N7, N8"
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
    Rule(REFUND, "Refund", "the supplier pays a failed order back", "funds", "purchases", "settled", "R72"),
    Rule(CREDIT, "Credit for a claim", "the supplier credits a claimed code", "funds", "purchases", "settled", "R72"),
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

# What a reader of the ledger looks for. A failed attempt is one with money set aside, or without.
GROUPS = {
    "deposits": ("Deposits", (DEPOSIT,)),
    "orders": ("Orders paid", (PURCHASE,)),
    "remedies": ("Refunds and credits", (REFUND, CREDIT)),
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

PAGE = """\
<!-- Written by `python3 dev.py manage docs`; change the code, not this page. -->

# Postings

Every movement of money is booked by `procurement/bookkeeping/postings.py` and by nothing else. A debit is positive, a
credit negative, and an entry adds up to zero. Amounts are whole minor units of one currency; no entry and no total
mixes currencies.

Each supplier account has these accounts in each currency, opened when first needed:

| account | role | holds |
| --- | --- | --- |
{accounts}

| kind | shown as | when | debit | credit | layer | requirement |
| --- | --- | --- | --- | --- | --- | --- |
{rules}

An entry names its order by `reference`, and the key names its cause, so that the same cause is booked once:
`order:<id>:hold:<n>`, `order:<id>:release:<n>`, `order:<id>:purchase`, `order:<id>:refund:<paid back in all>`,
`order:<id>:attempt:<n>`, `delivery:<id>`, `claim:<id>:credit`, `deposit:<id>`.

Free = settled + held, and the database refuses a hold that would take it below zero. A charge that the supplier made
although our funds do not cover it is a fact all the same: the part beyond the funds is booked to `suspense`, which
shows in reconciliation until a deposit or refund pays it.
"""


def as_markdown() -> str:
    """docs/postings.md."""
    accounts = [
        f"| `<supplier account>:<currency>:{name}` | {role} | {holds} |" for name, (role, holds) in ACCOUNTS.items()
    ]
    rules = [
        f"| {rule.kind} | {rule.label} | {rule.when} | {rule.debit} | {rule.credit} | {rule.layer} | {rule.source} |"
        for rule in RULES
    ]
    return PAGE.format(accounts="\n".join(accounts), rules="\n".join(rules))
