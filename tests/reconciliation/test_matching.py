"""Differences that answer each other: what is proposed, what a person accepts, and when a match falls."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from procurement.errors import NotAllowed, Refused, StaleState
from procurement.reconciliation import signing
from procurement.reconciliation.matching import match_differences, proposals_for
from procurement.reconciliation.models import Day, Difference
from procurement.reconciliation.queries import matched_rows
from procurement.reconciliation.sums import sets_adding_to, zero_sets_apart
from procurement.staff.models import User
from tests.at_desk import Desk
from tests.reconciliation.conftest import DAY, NOON, Scene, moment, named
from tests.reconciliation.test_statements import LATER, imported, order_line

# Few and small amounts, so that sums meet by chance often.
AMOUNTS = st.lists(st.integers(-6, 6).filter(bool), max_size=8)


def by_force(target: int, amounts: list[int], sizes: range) -> list[tuple[int, ...]]:
    every = [places for size in sizes for places in combinations(range(len(amounts)), size)]
    return [places for places in every if sum(amounts[place] for place in places) == target]


@given(AMOUNTS, st.integers(-9, 9))
def test_every_set_is_found_once_in_order(amounts: list[int], target: int) -> None:
    for sizes in (range(1, len(amounts) + 1), range(2, 7)):
        assert list(sets_adding_to(target, amounts, sizes)) == by_force(target, amounts, sizes)


@given(AMOUNTS)
def test_sets_apart_share_nothing_hold_no_smaller_one_and_leave_none(amounts: list[int]) -> None:
    found = zero_sets_apart(amounts, 6)
    taken = [place for places in found for place in places]
    assert len(taken) == len(set(taken))
    for places in found:
        chosen = [amounts[place] for place in places]
        assert by_force(0, chosen, range(2, 7)) == [tuple(range(len(chosen)))]
    left = [amount for place, amount in enumerate(amounts) if place not in taken]
    assert by_force(0, left, range(2, 7)) == []
    assert zero_sets_apart(amounts, 6) == found


def test_the_bounds_hold_the_search_short() -> None:
    """The most that is tried of a day, with nothing to be found."""
    assert zero_sets_apart([10**6 + 7**number for number in range(24)], 6) == []


@pytest.fixture
def batched(scene: Scene, finance: User) -> Day:
    """The statement sums two orders in one line; a third it has for another amount."""
    for number, cost in ((1, 4500), (2, 5500), (3, 700)):
        scene.buy(f"ORD-{number}", cost, NOON + timedelta(minutes=number))
    imported(scene, finance, order_line("BATCH", 10_000), order_line("ORD-3", 900))
    return scene.run(at=LATER)


def members(row: Day) -> list[int]:
    return [one.pk for one in proposals_for(row)[0].differences]


@pytest.mark.requirement("R93", "R98")
def test_one_line_for_two_orders_is_proposed_with_its_reason_and_accepted_by_a_person(
    batched: Day, finance: User
) -> None:
    assert named(batched) == [
        ("statement", "ORD-1", 4500),
        ("statement", "ORD-2", 5500),
        ("statement", "ORD-3", -200),
        ("statement", "r-BATCH", -10_000),
    ]
    assert (batched.matched, list(matched_rows(batched))) == (0, [])
    (proposal,) = proposals_for(batched)
    assert proposal.reason == (
        "r-BATCH (100.00 USD) against ORD-1 (45.00 USD) + ORD-2 (55.00 USD): 100.00 USD on both sides."
    )
    match_differences(by=finance, row=batched, chosen=[one.pk for one in proposal.differences])
    assert proposals_for(batched) == []
    assert [one.reference for one in signing.unexplained(batched)] == ["ORD-3"]
    left = batched.differences.get(reference="ORD-3")
    with moment(LATER):
        signing.explain_difference(by=finance, difference=left, cause="supplier_error", note="Ticket 4711 says so.")
        made = signing.prepare_day(by=finance, row=batched)
    assert [one["cause"] for one in made.content["differences"]] == ["matched", "matched", "supplier_error", "matched"]
    with moment(LATER), pytest.raises(StaleState, match="prepared or signed"):
        match_differences(by=finance, row=batched, chosen=[left.pk])


@pytest.mark.requirement("R93")
def test_orders_the_supplier_put_together_answer_each_other(scene: Scene, finance: User) -> None:
    """Two orders it does not know, and one that we do not."""
    for number in (1, 2):
        scene.book(scene.order(f"ORD-{number}", 4500), 4500, NOON)
    scene.there(scene.order("ORD-X", 9000, state="place_failed", remote_id=""), 9000, NOON, client_order_id="SUM")
    row = scene.run()
    assert [kind for kind, *_ in named(row)] == ["missing_here", "missing_there", "missing_there"]
    match_differences(by=finance, row=row, chosen=members(row))
    assert signing.unexplained(row) == []


@pytest.mark.requirement("R97")
def test_a_match_outlives_a_second_run_and_falls_with_one_of_its_differences(
    scene: Scene, batched: Day, finance: User
) -> None:
    match_differences(by=finance, row=batched, chosen=members(batched))
    rows = list(Difference.objects.order_by("pk").values_list())
    scene.run(at=LATER + timedelta(hours=1))
    assert list(Difference.objects.order_by("pk").values_list()) == rows

    imported(scene, finance, order_line("BATCH", 10_500), order_line("ORD-3", 900), at=LATER + timedelta(hours=1))
    after = scene.run(at=LATER + timedelta(hours=2))
    assert [one.reference for one in signing.unexplained(after)] == ["ORD-1", "ORD-2", "ORD-3", "r-BATCH"]
    assert not after.differences.filter(match__isnull=False).exists()


def test_explaining_one_of_them_otherwise_takes_the_match_back(batched: Day, finance: User) -> None:
    match_differences(by=finance, row=batched, chosen=members(batched))
    one = batched.differences.get(reference="r-BATCH")
    signing.explain_difference(by=finance, difference=one, cause="other", note="It was something else.")
    assert [left.reference for left in signing.unexplained(batched)] == ["ORD-1", "ORD-2", "ORD-3", "r-BATCH"]
    assert Difference.objects.get(pk=one.pk).cause == "other"


def test_what_does_not_come_to_nothing_is_refused(batched: Day, finance: User, manager: User) -> None:
    numbers = {one.reference: one.pk for one in batched.differences.all()}
    with pytest.raises(Refused, match=r"55.00 USD are left over\. Nothing was matched"):
        match_differences(by=finance, row=batched, chosen=[numbers["ORD-1"], numbers["r-BATCH"]])
    with pytest.raises(StaleState, match="not all open any more"):
        match_differences(by=finance, row=batched, chosen=[numbers["ORD-1"], 10**9])
    with pytest.raises(NotAllowed):
        match_differences(by=manager, row=batched, chosen=members(batched))
    with pytest.raises(Refused, match="Choose one of the causes"):
        signing.explain_difference(by=finance, difference=batched.differences.all()[0], cause="matched", note="x" * 12)
    assert not Difference.objects.exclude(cause="").exists()


def test_the_database_knows_no_match_without_its_cause(batched: Day) -> None:
    for wrong in ({"match": 1}, {"cause": "matched"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            batched.differences.update(**wrong)
    assert not Difference.objects.exclude(cause="").exists()


def test_the_page_proposes_and_a_button_accepts(scene: Scene, batched: Day, finance: User, manager: User) -> None:
    address = ["reconciliation:day_detail", "alpha", "USD", DAY.isoformat()]
    page = Desk(finance).open(*address)
    assert "These may answer each other" in page.text
    assert "r-BATCH (100.00 USD) against ORD-1" in page.text
    assert "Accept this match" not in Desk(manager).open(*address).text
    shown = Desk(finance).send(page.form("/match/"))
    assert "Matched: together they come to nothing" in shown.text
    assert "These may answer each other" not in shown.text
    client = Client()
    client.force_login(manager)
    assert client.post(reverse("reconciliation:day_match", args=address[1:]), {"differences": "1,2"}).status_code == 403
