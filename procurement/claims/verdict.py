"""Whose fault is it? A pure function over four facts, and the table it follows (R74).

Sold is the storefront's label, Mapped the product version frozen on the order, Delivered what the supplier states for
this very code, Account what the customer says. The same table runs for region and for denomination; region comes first
because it decides whether a code can work at all. Nothing here reads the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ledger.money import format_amount

Owner = Literal["us", "supplier", "both", "customer", "none", "unknown"]
Certainty = Literal["proven", "told", "open"]

OWNERS: Mapping[Owner, str] = {
    "us": "Us",
    "supplier": "The supplier",
    "both": "Us and the supplier",
    "customer": "The customer's account, or our listing",
    "none": "Nobody",
    "unknown": "Not known",
}
CERTAINTIES: Mapping[Certainty, str] = {
    "proven": "Proven by the records",
    "told": "Rests on what the customer says",
    "open": "Not proven",
}
ACTIONS: Mapping[str, str] = {
    "file_claim": "File claim",
    "replace": "Replace at our cost",
    "message": "Send the message",
    "check_typing": "Check the typing",
    "ask_supplier": "Ask the supplier",
    "note_difference": "Note the difference",
    "follow_order": "Follow the order",
}


@dataclass(frozen=True)
class Side:
    """Region and face value as one party states them: "" and None where it states none; face in minor units."""

    region: str = ""
    currency: str = ""
    face_minor: int | None = None

    @property
    def face(self) -> tuple[str, int] | None:
        return None if self.face_minor is None else (self.currency, self.face_minor)


@dataclass(frozen=True)
class Facts:
    """What the verdict is made of. `mapping` names the version used, as in `v3 by Ana, 2 Nov`.

    `damaged`: the code itself can't be one, since it was cut off or corrupted when it came.
    """

    sold: Side
    mapped: Side
    delivered: Side
    account_region: str = ""
    mapping: str = "the mapping"
    damaged: bool = False


@dataclass(frozen=True)
class Verdict:
    """One row of the table: what we say, whose fault, how sure, what to do next and what that needs.

    `claim_reason` None: a claim is not offered. `message` is a key of messages.py. `also`: findings beside it.
    """

    key: str
    sentence: str
    owner: Owner
    certainty: Certainty
    action: str
    claim_reason: str | None
    message: str
    fix_mapping: bool = False
    also: tuple[str, ...] = ()

    @property
    def owner_words(self) -> str:
        return OWNERS[self.owner]

    @property
    def certainty_words(self) -> str:
        return CERTAINTIES[self.certainty]

    @property
    def action_words(self) -> str:
        return ACTIONS[self.action]


def _row(
    key: str,
    sentence: str,
    owner: Owner,
    certainty: Certainty,
    action: str,
    claim_reason: str | None,
    message: str,
    fix_mapping: bool = False,
) -> tuple[str, Verdict]:
    return key, Verdict(key, sentence, owner, certainty, action, claim_reason, message, fix_mapping)


TABLE: Mapping[str, Verdict] = dict(
    [
        _row(
            "works_here",
            "This code should work on this account: both are {delivered}.",
            "unknown", "told", "check_typing", "invalid", "manual_review",
        ),
        _row(
            "money_side",
            "The customer got what was sold ({sold}): the order and the delivery differ only on the money side.",
            "none", "proven", "note_difference", None, "manual_review", True,
        ),
        _row(
            "our_mapping",
            "We ordered the wrong region for this SKU: sold was {sold}, ordered {mapped} by mapping {mapping}.",
            "us", "proven", "replace", None, "region_ours", True,
        ),
        _row(
            "supplier_region",
            "The supplier delivered another region than ordered: {delivered} instead of {mapped}.",
            "supplier", "proven", "file_claim", "wrong_region", "region_supplier",
        ),
        _row(
            "two_faults",
            "Two faults: we ordered {mapped} for a SKU sold as {sold}, and the supplier delivered {delivered}.",
            "both", "proven", "file_claim", "wrong_region", "region_supplier", True,
        ),
        _row(
            "account_region",
            "The code is right ({delivered}); the customer's account is of another region ({account}).",
            "customer", "told", "message", None, "region_account",
        ),
        _row(
            "not_region",
            "Not a region problem: sold, ordered, delivered and account are all {delivered}.",
            "unknown", "told", "check_typing", "invalid", "manual_review",
        ),
        _row(
            "ask_region",
            "Ask for the account region: sold, ordered and delivered are all {delivered}.",
            "unknown", "open", "message", None, "ask_region",
        ),
        _row(
            "not_stated",
            "The supplier stated no region for this code, so nothing is proven. A person decides.",
            "unknown", "open", "ask_supplier", None, "manual_review",
        ),
        _row(
            "our_face",
            "We ordered the wrong value for this SKU: sold was {sold_face}, ordered {mapped_face} by mapping "
            "{mapping}.",
            "us", "proven", "replace", None, "value_ours", True,
        ),
        _row(
            "supplier_face",
            "The supplier delivered another value than ordered: {delivered_face} instead of {mapped_face}.",
            "supplier", "proven", "file_claim", "wrong_region", "value_supplier",
        ),
        _row(
            "two_face_faults",
            "Two faults: we ordered {mapped_face} for a SKU sold as {sold_face}, and the supplier delivered "
            "{delivered_face}.",
            "both", "proven", "file_claim", "wrong_region", "value_supplier", True,
        ),
        _row(
            "money_side_face",
            "The customer got the value that was sold ({sold_face}): the difference is only on the money side.",
            "none", "proven", "note_difference", None, "manual_review", True,
        ),
        _row(
            "face_not_stated",
            "The supplier stated no value for this code, and we ordered another one than was sold. A person decides.",
            "unknown", "open", "ask_supplier", None, "manual_review", True,
        ),
        _row(
            "damaged",
            "The code came cut off or corrupted: it is not 12 letters and digits.",
            "supplier", "proven", "file_claim", "failed", "manual_review",
        ),
        _row(
            "not_delivered",
            "No code of this order is concerned. Its state says what the customer can be told.",
            "unknown", "open", "follow_order", None, "",
        ),
    ]
)  # fmt: skip

# Which verdict is shown first when region and denomination each have one: a fault we can claim for, then our own.
_WEIGHT = {"file_claim": 0, "replace": 1, "note_difference": 2}
_QUIET = 9
_WORKS = frozenset({"works_here", "not_region"})


def verdict(facts: Facts) -> Verdict:
    """The verdict on one code: the graver of the region's and the denomination's, the other one beside it."""
    if facts.damaged:
        return _filled("damaged", facts)
    region = region_verdict(facts)
    face = face_verdict(facts)
    if face is None:
        return region
    if region.key in _WORKS:
        # That the code works here is the first thing to know, whatever else is wrong.
        return replace(face, sentence=f"{region.sentence} {face.sentence}", also=region.also)
    if _weight(face) < _weight(region):
        return replace(face, also=(region.sentence, *region.also))
    return replace(region, also=(*region.also, face.sentence))


def region_verdict(facts: Facts) -> Verdict:
    """The table for the region."""
    sold, mapped, delivered = facts.sold.region, facts.mapped.region, facts.delivered.region
    account = facts.account_region
    if not delivered:
        beside = () if sold == mapped else (TABLE["our_mapping"].sentence,)
        return _filled("not_stated", facts, beside)
    if account == delivered:
        return _filled("not_region" if sold == mapped == delivered else "works_here", facts, _apart(facts))
    if sold != mapped and delivered == sold:
        found = _filled("money_side", facts)
        message = "region_account" if account else "ask_region"
        return replace(found, message=message)
    if sold != mapped:
        return _filled("our_mapping" if mapped == delivered else "two_faults", facts)
    if mapped != delivered:
        return _filled("supplier_region", facts)
    return _filled("account_region" if account else "ask_region", facts)


def face_verdict(facts: Facts) -> Verdict | None:
    """The table for the denomination; None when there is nothing to say. An account has none, so none is asked for."""
    sold, mapped, delivered = facts.sold.face, facts.mapped.face, facts.delivered.face
    if delivered is None:
        return None if sold == mapped else _filled("face_not_stated", facts)
    if sold != mapped and delivered == sold:
        return _filled("money_side_face", facts)
    if sold != mapped:
        return _filled("our_face" if mapped == delivered else "two_face_faults", facts)
    return _filled("supplier_face", facts) if mapped != delivered else None


def verdict_named(key: str, facts: Facts) -> Verdict:
    """A row of the table by its key, for a verdict that a person chose. KeyError for no row."""
    return _filled(key, facts)


def needs_account_region(facts: Facts) -> bool:
    """Whether the customer's account region is still needed; it is not asked for when the records decide."""
    return verdict(replace(facts, account_region="")).key in {"ask_region", "not_stated", "money_side"}


def _apart(facts: Facts) -> tuple[str, ...]:
    """Faults that do not concern this customer, filed apart."""
    found = []
    if facts.sold.region != facts.mapped.region:
        found.append(TABLE["our_mapping"].sentence)
    if facts.mapped.region != facts.delivered.region:
        found.append(TABLE["supplier_region"].sentence)
    return tuple(found)


def _weight(found: Verdict) -> int:
    return _WEIGHT.get(found.action, _QUIET)


def _filled(key: str, facts: Facts, also: tuple[str, ...] = ()) -> Verdict:
    row = TABLE[key]
    words = {
        "sold": facts.sold.region or "not known",
        "mapped": facts.mapped.region or "not known",
        "delivered": facts.delivered.region or "not stated",
        "account": facts.account_region or "not known",
        "mapping": facts.mapping,
        "sold_face": _face_words(facts.sold),
        "mapped_face": _face_words(facts.mapped),
        "delivered_face": _face_words(facts.delivered),
    }
    sentences = tuple(sentence.format_map(words) for sentence in also)
    return replace(row, sentence=row.sentence.format_map(words), also=sentences)


def _face_words(side: Side) -> str:
    if side.face_minor is None:
        return "not stated"
    return f"{format_amount(side.face_minor, side.currency).removesuffix('.00')} {side.currency}"
