"""What a price says: its share of the face value, how it moved, and whether it looks wrong beside its neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from ledger.money import format_amount
from procurement.catalog.models import Product

# Neighbours of one region and supplier lie within a few percent of each other; a copied cost lies far off.
MOST_OFF = Fraction(10, 100)
NEIGHBOURS = 2
LOW_STOCK, PLENTY = 10, 120


@dataclass(frozen=True)
class Oddity:
    """A word about a cost. Some regions cost more than their face value everywhere, so that alone asks for nothing."""

    label: str
    tone: str


ABOVE_FACE = Oddity("Cost above face", "neutral")
OUT_OF_LINE = Oddity("Cost out of line", "attention")


@dataclass(frozen=True)
class Change:
    """The last move of a cost: amounts in minor units of `currency`, and since when the present one holds (UTC)."""

    before: int
    after: int
    currency: str
    since: datetime

    @property
    def words(self) -> str:
        """`up 3.2 %`; without a percentage when the cost was zero before."""
        direction = "up" if self.after > self.before else "down"
        return f"{direction} {percent(abs(self.after - self.before), self.before)}" if self.before else direction

    @property
    def amounts(self) -> str:
        return f"{format_amount(self.before, self.currency)} → {format_amount(self.after, self.currency)}"


def percent(part: int, whole: int) -> str:
    """`3.2 %`, rounded half up to one decimal."""
    return f"{(Decimal(part) * 100 / Decimal(whole)).quantize(Decimal('0.1'))} %"


def share_of_face(product: Product) -> str:
    """The cost as a percentage of the face value, or nothing when the two are in different currencies."""
    if product.cost_minor is None or product.cost_currency != product.currency:
        return ""
    return percent(product.cost_minor, product.denomination_minor)


def stock_words(stock: int | None) -> str:
    """Stock as people say it; a supplier that does not count leaves it not known."""
    if stock is None:
        return "Not known"
    if stock <= 0:
        return "None"
    if stock < LOW_STOCK:
        return f"Low: {stock}"
    return f"In stock: {PLENTY}+" if stock >= PLENTY else f"In stock: {stock}"


def ratio(product: Product) -> Fraction | None:
    """Cost for one unit of face value; comparable only within one region, currency and supplier."""
    if product.cost_minor is None or product.denomination_minor <= 0:
        return None
    return Fraction(product.cost_minor, product.denomination_minor)


def oddities(product: Product, peers: Iterable[Product]) -> list[Oddity]:
    """What is odd about a cost: above the face value, or more than 10 % off its nearest denominations.

    `peers` are the other products of the same supplier, region and currencies; fewer than two of them prove nothing.
    """
    own = ratio(product)
    if own is None:
        return []
    found = []
    if product.cost_currency == product.currency and own > 1:
        found.append(ABOVE_FACE)
    usual = usual_ratio(product, peers)
    if usual and abs(own - usual) > usual * MOST_OFF:
        found.append(OUT_OF_LINE)
    return found


def usual_ratio(product: Product, peers: Iterable[Product]) -> Fraction | None:
    """The middle ratio of the nearest denominations on either side, so that one wrong neighbour does not decide."""
    face = product.denomination_minor
    others = [peer for peer in peers if peer.pk != product.pk and ratio(peer)]
    others.sort(key=lambda peer: abs(peer.denomination_minor - face))
    below = [peer for peer in others if peer.denomination_minor <= face]
    above = [peer for peer in others if peer.denomination_minor > face]
    near = _ratios([*below[:NEIGHBOURS], *above[:NEIGHBOURS]])
    return near[(len(near) - 1) // 2] if len(near) >= 2 else None


def _ratios(products: Sequence[Product]) -> list[Fraction]:
    return sorted(found for product in products if (found := ratio(product)) is not None)
