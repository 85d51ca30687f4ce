"""The worked month: every difference that was planted is named where it belongs, and nothing else is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from procurement.bookkeeping import corrections, deposits
from procurement.claims.models import Claim
from procurement.claims.services import cases, filing, outcomes
from procurement.orders.models import Order, UnclaimedOrder
from procurement.orders.services.placing import place_order
from procurement.orders.services.resolving import confirm_outcome, propose_outcome
from procurement.orders.services.tracking import check_order
from procurement.orders.services.unclaimed import confirm_end, follow_unclaimed, propose_end
from procurement.reconciliation.models import Day, Difference
from tests.journeys.month import DAYS, FIRST, OPENING, Month, Named, month

pytestmark = pytest.mark.django_db(transaction=True)
WHY = "Their support answered so in ticket 4711."
# PostgreSQL gets the same differences among fewer orders.
ORDERS_A_DAY = 5 if connection.vendor == "sqlite" else 2


@dataclass
class Planted:
    """What goes wrong in the month, and what the reports must say: each night, and once all is settled."""

    month: Month
    nightly: defaultdict[tuple[str, int], list[Named]] = field(default_factory=lambda: defaultdict(list))
    final: defaultdict[tuple[str, int], list[Named]] = field(default_factory=lambda: defaultdict(list))
    kept: dict[str, Any] = field(default_factory=dict)

    def name(self, code: str, day: int, found: Named, *, later: Named | None = None, gone: bool = False) -> None:
        """That night the report says `found`; at the month's end still, or `later`, or nothing once it is `gone`."""
        self.nightly[code, day].append(found)
        if not gone:
            self.final[code, day].append(later or found)

    def plan(self) -> None:
        self.month.plans = {
            (3, "evening"): self.partial_delivery_without_its_money,
            (4, "evening"): self.partial_delivery_paid_back,
            (5, "evening"): self.failed_and_paid_back,
            (6, "evening"): self.failed_and_not_paid_back,
            (8, "evening"): self.lost_answer,
            (9, "morning"): self.lost_answer_settled,
            (11, "evening"): self.fee,
            (13, "morning"): self.fee_booked,
            (14, "evening"): self.bought_in_the_portal,
            (15, "morning"): self.portal_purchase_adopted,
            (17, "evening"): self.bought_in_the_portal_without_a_list,
            (20, "evening"): self.wrong_amount,
            (22, "evening"): self.short_deposit,
            (24, "night"): self.over_midnight,
            (26, "night"): self.just_before_midnight,
            (27, "evening"): self.claim_credited,
        }

    def partial_delivery_without_its_money(self) -> None:
        self.month.tills["alpha"].arm("part_delivery", codes=1, refund=False)
        order = self.month.buy("alpha", 4)
        self.month.follow(order, seconds=3000)
        assert order.state == "partial"
        self.name("alpha", 3, ("codes", str(order), 3 * order.unit_cost_minor))

    def partial_delivery_paid_back(self) -> None:
        """The supplier states no refund; its balance shows it."""
        self.month.tills["psnb2b"].arm("part_delivery", codes=2, refund=True)
        order = self.month.buy("psnb2b", 4)
        self.month.follow(order, seconds=3000)
        assert order.refunded_minor * 2 == order.total_cost_minor

    def failed_and_paid_back(self) -> None:
        self.month.tills["alpha-yen"].arm("order_fails", refund=True)
        assert self.month.buy("alpha-yen").state == "refunded"

    def failed_and_not_paid_back(self) -> None:
        self.month.tills["alpha"].arm("order_fails", refund=False)
        order = self.month.buy("alpha")
        assert order.state == "supplier_failed"
        self.name("alpha", 6, ("refund_awaited", str(order), order.total_cost_minor or 0))

    def lost_answer(self) -> None:
        """At the supplier without keys: unconfirmed until two people say what became of it."""
        till = self.month.tills["psnb2b"]
        till.arm("answer_lost")
        order = self.kept["lost"] = self.month.buy("psnb2b")
        assert order.state == "unknown"
        self.kept["lost id"] = [one["order_id"] for one in till.line.suppliers.orders() if one["supplier"] == "psnb2b"][
            -1
        ]
        self.nightly["psnb2b", 8].append(("unconfirmed", str(order), -order.max_total_minor))

    def lost_answer_settled(self) -> None:
        order, people = self.kept["lost"], self.month.people
        facts = {"order": order, "verdict": "placed", "remote_id": self.kept["lost id"], "reason": WHY}
        propose_outcome(by=people["sam"], acknowledged=True, **facts)
        confirm_outcome(by=people["fay"], order=order)
        self.month.follow(order)
        assert order.state == "codes_stored"
        timing = ("timing", str(order), order.total_cost_minor or 0)
        self.final["psnb2b", 8].append(timing)
        self.name("psnb2b", 9, timing)

    def fee(self) -> None:
        """Taken without a word: the balance names it, the next day carries it over."""
        self.month.tills["alpha-yen"].take(330)
        self.name("alpha-yen", 11, ("balance", "balance", -330), gone=True)
        self.name("alpha-yen", 12, ("carried", "carried", -330), gone=True)

    def fee_booked(self) -> None:
        self.correct("alpha-yen", 11, -330)

    def correct(self, code: str, day: int, minor: int) -> None:
        """Two people book what nothing else books, on the day it belongs to."""
        till, people = self.month.tills[code], self.month.people
        row = corrections.propose_correction(
            by=people["fay"],
            account=till.account,
            currency=till.currency,
            amount_minor=minor,
            against="fees",
            day=FIRST + timedelta(days=day - 1),
            reason=WHY,
        )
        corrections.book_correction(by=people["mia"], correction=row)

    def bought_in_the_portal(self) -> None:
        """Where there is a list, the order itself is named; adopted the next day, it counts on two days."""
        remote_id, cost = self.month.tills["alpha"].bought_elsewhere()
        row = UnclaimedOrder(remote_id=remote_id)
        self.kept["portal"] = (row.remote_id, cost)
        self.nightly["alpha", 14].append(("missing_here", remote_id, -cost))

    def portal_purchase_adopted(self) -> None:
        (remote_id, cost), people = self.kept["portal"], self.month.people
        row = UnclaimedOrder.objects.get(remote_id=remote_id)
        follow_unclaimed(str(row.pk))
        row.refresh_from_db()
        propose_end(by=people["sam"], row=row, proposal="adopted", reason=WHY)
        order = confirm_end(by=people["fay"], row=row)
        assert order is not None
        self.month.wait(6)
        check_order(str(order.pk))
        self.final["alpha", 14].append(("timing", str(order), cost))
        self.name("alpha", 15, ("timing", str(order), cost))

    def bought_in_the_portal_without_a_list(self) -> None:
        """Where there is none, the balance names the minutes, and each day carries it on."""
        _, cost = self.month.tills["psnb2b"].bought_elsewhere()
        self.name("psnb2b", 17, ("balance", "balance", -cost))
        for day in range(18, DAYS + 1):
            self.name("psnb2b", day, ("carried", "carried", -cost))

    def wrong_amount(self) -> None:
        """Later the supplier says, and took, a hundred yen more than it answered."""
        till = self.month.tills["alpha-yen"]
        order = self.month.buy("alpha-yen")
        till.line.restated[order.remote_id] = ("total_cost", (order.total_cost_minor or 0) + 100)
        till.take(100)
        self.name("alpha-yen", 20, ("amount", str(order), -100))
        for day in range(21, DAYS + 1):
            self.name("alpha-yen", day, ("carried", "carried", -100))

    def short_deposit(self) -> None:
        till, people = self.month.tills["alpha"], self.month.people
        row = deposits.announce_deposit(
            by=people["fay"],
            account=till.account,
            amount_minor=800_00,
            currency="USD",
            way="USDT/TRC-20",
            reference="INV-7",
        )
        deposits.note_sent(by=people["fay"], deposit=row, txid="a" * 64)
        till.take(-792_00)
        deposits.credit_deposit(by=people["mia"], deposit=row, amount_minor=792_00, reason=WHY)
        self.name("alpha", 22, ("deposit", "INV-7", -8_00))

    def over_midnight(self) -> None:
        """The answer is lost before midnight; the same key is answered two hours later."""
        month, till = self.month, self.month.tills["alpha"]
        till.arm("answer_lost")
        order = month.submit("alpha", 2)
        place_order(str(order.pk))
        timing = ("timing", str(order), order.max_total_minor)
        self.name("alpha", 24, ("unconfirmed", str(order), -order.max_total_minor), later=timing)
        self.name("alpha", 25, timing)

        def answered() -> None:
            month.move_to(month.at(25, 2))
            month.follow(order)
            assert order.state == "codes_stored"

        month.plans[24, "small hours"] = answered

    def just_before_midnight(self) -> None:
        """Made seconds before midnight and booked seconds after it: no difference."""
        order = self.month.submit("alpha", 2)
        place_order(str(order.pk))
        self.month.move_to(self.month.at(27, 0, 0, 5))
        self.month.follow(order)
        assert order.state == "codes_stored"

    def claim_credited(self) -> None:
        """A code for another region, its claim, and the credit on both sides."""
        till, sam = self.month.tills["psnb2b"], self.month.people["sam"]
        till.arm("wrong_region_code", region="TR")
        order = self.month.buy("psnb2b", 1)
        code = order.codes.get()
        case = cases.open_case(by=sam, order=order, code=code, error_text="Not for this region", account_region="US")
        claim: Claim = filing.file_claim(by=sam, case=case, reason="wrong_region")
        had = till.balance()
        till.control("POST", f"claims/{claim.remote_id}", {"outcome": "credit"})
        credit, fay = till.balance() - had, self.month.people["fay"]
        outcomes.record_outcome(by=fay, claim=claim, outcome="credited", note=WHY, credit_minor=credit)


@pytest.fixture
def planted() -> Iterator[Planted]:
    """The month as it was lived."""
    with month() as lived:
        planted = Planted(lived)
        planted.plan()
        lived.live(ORDERS_A_DAY)
        yield planted


def in_order(found: dict[tuple[str, int], list[Named]]) -> dict[tuple[str, int], list[Named]]:
    return {key: sorted(rows) for key, rows in sorted(found.items()) if rows}


def everything() -> list[Any]:
    """All that a comparison writes, apart from the time at which it looked."""
    looked = {"checked_at", "theirs_read_at"}
    days = [name.attname for name in Day._meta.concrete_fields if name.attname not in looked]
    return [*Day.objects.order_by("pk").values_list(*days), *Difference.objects.order_by("pk").values_list()]


@pytest.mark.requirement("R72", "R73", "R91", "R92", "R93", "R95", "R97", "R98")
def test_a_month_names_each_planted_difference_and_nothing_else(planted: Planted) -> None:
    lived = planted.month
    assert Order.objects.count() >= DAYS * (3 * ORDERS_A_DAY - 2)
    assert in_order(lived.nightly) == in_order(planted.nightly)

    lived.move_to(lived.at(DAYS + 1, 9))
    for day in range(1, DAYS + 1):
        lived.report(day)
    assert in_order(lived.nightly) == in_order(planted.final)

    rows = everything()
    lived.wait(7200)
    for day in range(1, DAYS + 1):
        lived.report(day)
    assert everything() == rows

    for code, till in lived.tills.items():
        days = list(Day.objects.filter(account=till.account).order_by("day"))
        assert [(row.opening_minor, row.currency) for row in days[1:]] == [
            (row.ours_minor, till.currency) for row in days[:-1]
        ]
        assert days[0].opening_minor == OPENING
        assert days[-1].theirs_minor == till.balance(), code
