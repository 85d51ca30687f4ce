"""One kind of difference after the other is planted: it is named, and nothing else is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from procurement.audit.models import AuditEvent
from procurement.bookkeeping import corrections, deposits, postings
from procurement.errors import NotAllowed, Refused
from procurement.orders.models import Delivery, Order
from procurement.reconciliation.chain import expected_at
from procurement.reconciliation.models import Day, Difference
from procurement.staff.models import User
from tests.reconciliation.conftest import DAY, NEXT, NOON, SOON, START, Scene, all_rows, moment, named

MINUTE = timedelta(minutes=1)


@pytest.mark.requirement("R91", "R92", "R93")
def test_a_day_that_agrees_says_so_with_its_equation(scene: Scene) -> None:
    scene.buy("ORD-1", 4500)
    scene.buy("ORD-2", 5500, NOON + MINUTE)
    scene.deposit(10_000, NOON)
    row = scene.run()
    assert (row.state, named(row), row.matched, row.matched_minor) == ("agrees", [], 2, 10_000)
    equation = (row.opening_minor, row.deposits_minor, row.orders_minor, row.credits_minor, row.ours_minor)
    assert equation == (100_000, 10_000, 10_000, 0, 100_000)
    assert (row.theirs_minor, row.difference_minor) == (100_000, 0)


def test_refunds_and_credits_are_a_term_of_their_own(scene: Scene) -> None:
    order = scene.buy("ORD-1", 4500)
    with moment(NOON + MINUTE):
        postings.refund(**scene.facts(order, 1500))
        postings.claim_credit(**scene.facts(order, 500), claim_id="c1", actor="Fay")
    Order.objects.filter(pk=order.pk).update(refunded_minor=1500)
    scene.balance += 2000
    scene.restate(order, refunded=1500)
    row = scene.run()
    assert (row.state, row.orders_minor, row.credits_minor, row.ours_minor) == ("agrees", 4500, 2000, 97_500)


@pytest.mark.requirement("R88", "R98")
def test_an_order_the_supplier_has_and_we_do_not_is_missing_here(scene: Scene) -> None:
    scene.buy("ORD-1")
    stranger = scene.order("ORD-X", 700, state="place_failed", remote_id="")
    scene.there(stranger, 700, NOON, client_order_id="SHOP-9", remote_id="r-9")
    row = scene.run()
    assert (row.state, named(row), row.difference_minor) == ("differs", [("missing_here", "r-9", -700)], -700)
    found = row.differences.get()
    assert "r-9 for 7.00 USD, made 20 Nov 12:00:00 UTC" in found.sentence
    assert (found.ours, found.theirs, found.currency) == ("nothing booked", "7.00 USD", "USD")


def test_an_order_that_ended_here_and_lives_there_is_missing_here_with_its_name(scene: Scene) -> None:
    failed = scene.order("ORD-1", 700, state="place_failed", remote_id="")
    scene.hold(failed, 700, NOON)
    with moment(NOON + SOON):
        postings.release_order(order_id=str(failed.pk), reason="refused")
    scene.there(failed, 700, NOON)
    row = scene.run()
    assert named(row) == [("missing_here", "ORD-1", -700)]
    assert row.differences.get().order == failed


@pytest.mark.requirement("R98")
def test_an_order_we_paid_that_the_supplier_does_not_know_is_missing_there(scene: Scene) -> None:
    scene.buy("ORD-1")
    ghost = scene.order("ORD-2", 900)
    scene.book(ghost, 900, NOON)
    row = scene.run()
    assert (named(row), row.difference_minor, row.matched) == ([("missing_there", "ORD-2", 900)], 900, 1)
    assert scene.client.reads == ["r-ORD-2"]


@pytest.mark.requirement("R93", "R98")
def test_another_amount_at_the_supplier_is_named_with_both(scene: Scene) -> None:
    order = scene.order("ORD-1", 4500)
    scene.there(order, 4600, NOON)
    scene.book(order, 4500, NOON)
    row = scene.run()
    assert named(row) == [("amount", "ORD-1", -100)]
    found = row.differences.get()
    assert (found.ours, found.theirs, found.order) == ("45.00 USD", "46.00 USD", order)


@pytest.mark.requirement("R92")
def test_a_charge_in_another_currency_is_never_added_up(scene: Scene) -> None:
    order = scene.order("ORD-1", 4500)
    scene.book(order, 4500, NOON)
    scene.there(order, 0, NOON, total=4100, currency="EUR")
    row = scene.run()
    assert named(row) == [("amount", "ORD-1", 4500)]
    assert row.differences.get().theirs == "41.00 EUR"


def test_another_refund_at_the_supplier_is_an_amount_of_its_own(scene: Scene) -> None:
    order = scene.order("ORD-1", 4500)
    scene.book(order, 4500, NOON)
    scene.there(order, 4500, NOON, refunded=2250)
    scene.balance += 2250
    assert named(scene.run()) == [("amount", "ORD-1 refund", 2250)]


@pytest.mark.requirement("R98")
@pytest.mark.parametrize("taken", [True, False])
def test_an_unconfirmed_order_is_named_whether_the_supplier_took_it_or_not(scene: Scene, taken: bool) -> None:
    scene.client.lists = False
    order = scene.order("ORD-1", 4500, state="unknown", remote_id="")
    scene.hold(order, 4500, NOON)
    scene.balance -= 4500 if taken else 0
    row = scene.run()
    assert (row.state, named(row)) == ("differs", [("unconfirmed", "ORD-1", -4500)])
    assert row.difference_minor == (-4500 if taken else 0)


def test_an_unconfirmed_order_charged_below_what_is_held_explains_the_balance(scene: Scene) -> None:
    scene.client.lists = False
    order = scene.order("ORD-1", 4500, state="unknown", remote_id="")
    scene.hold(order, 4500, NOON)
    scene.balance -= 4300
    assert named(scene.run()) == [("unconfirmed", "ORD-1", -4500)]
    scene.balance -= 300
    scene.says(at=NEXT + timedelta(seconds=1))
    row = scene.run(at=NEXT + timedelta(minutes=9))
    assert named(row) == [("balance", "balance", -4600), ("unconfirmed", "ORD-1", -4500)]


def test_an_unconfirmed_order_that_the_supplier_lists_says_under_which_id(scene: Scene) -> None:
    order = scene.order("ORD-1", 4500, state="unknown", remote_id="")
    scene.hold(order, 4500, NOON)
    scene.there(order, 4500, NOON)
    row = scene.run()
    assert named(row) == [("unconfirmed", "ORD-1", -4500)]
    assert "The supplier lists it as r-ORD-1" in row.differences.get().sentence


def test_an_unconfirmed_order_stays_named_on_the_days_after(scene: Scene) -> None:
    order = scene.order("ORD-1", 4500, state="unknown", remote_id="")
    scene.hold(order, 4500, NOON - timedelta(days=2))
    scene.balance -= 4500
    assert named(scene.run()) == [("unconfirmed", "ORD-1", -4500)]


def test_an_order_on_its_way_is_no_difference(scene: Scene) -> None:
    scene.buy("ORD-0")
    for number, charged in ((1, True), (2, False)):
        order = scene.order(f"ORD-{number}", 4500 + number, state="draft", remote_id="")
        Order.objects.filter(pk=order.pk).update(state="placing")
        scene.hold(order, 4500 + number, NOON)
        if charged:
            scene.there(order, 4500 + number, NOON)
    row = scene.run()
    assert (row.state, named(row), row.in_flight, row.in_flight_minor) == ("agrees", [], 2, -4501)
    assert row.difference_minor == -4501


@pytest.mark.parametrize(("made", "booked"), [(NEXT + SOON, NEXT - SOON), (NOON, NEXT + timedelta(hours=3))])
def test_an_order_counted_on_different_days_is_a_matter_of_timing_on_both(
    scene: Scene, made: datetime, booked: datetime
) -> None:
    order = scene.order("ORD-1", 4500)
    scene.hold(order, 4500, NOON - MINUTE)
    scene.there(order, 4500, made)
    scene.book(order, 4500, booked)
    later = NEXT + timedelta(days=1, minutes=5)
    scene.says(at=NEXT + timedelta(hours=6))
    first, second = scene.run(at=later), scene.run(DAY + timedelta(days=1), at=later)
    assert named(first) == named(second) == [("timing", "ORD-1", 4500)]


def test_an_order_made_just_before_midnight_and_booked_just_after_is_no_difference(scene: Scene) -> None:
    order = scene.order("ORD-1", 4500)
    scene.hold(order, 4500, NEXT - SOON)
    scene.there(order, 4500, NEXT - timedelta(seconds=2))
    scene.says(at=NEXT - timedelta(seconds=1))
    scene.book(order, 4500, NEXT + SOON)
    scene.says(at=NEXT + timedelta(hours=5))
    later = NEXT + timedelta(days=1, minutes=5)
    first, second = scene.run(at=later), scene.run(DAY + timedelta(days=1), at=later)
    assert (first.state, named(first), first.in_flight, first.in_flight_minor) == ("agrees", [], 1, -4500)
    assert (second.state, named(second), second.orders_minor, second.matched) == ("agrees", [], 4500, 1)


@pytest.mark.requirement("R98")
def test_a_failed_order_whose_money_is_not_back_awaits_its_refund(scene: Scene) -> None:
    order = scene.order("ORD-1", 4500, state="supplier_failed")
    scene.book(order, 4500, NOON)
    scene.there(order, 4500, NOON, status="failed", raw_status="failed")
    row = scene.run()
    assert (named(row), row.difference_minor) == ([("refund_awaited", "ORD-1", 4500)], 0)


@pytest.mark.requirement("R65", "R95", "R98")
def test_missing_codes_and_odd_delivery_files_are_named(scene: Scene) -> None:
    short, odd, paid_back = (scene.buy(f"ORD-{number}", 4500, NOON + number * MINUTE) for number in range(3))
    Order.objects.filter(pk=short.pk).update(state="partial", delivered_quantity=1)
    Delivery.objects.filter(order=short).update(count=1)
    scene.restate(short, delivered_quantity=1, status="partly_delivered")
    Delivery.objects.filter(order=odd).update(count=3)
    Order.objects.filter(pk=paid_back.pk).update(state="partial", delivered_quantity=1)
    with moment(NOON + timedelta(hours=1)):
        postings.refund(**scene.facts(paid_back, 2250))
    Order.objects.filter(pk=paid_back.pk).update(refunded_minor=2250)
    Delivery.objects.filter(order=paid_back).update(count=1)
    scene.restate(paid_back, delivered_quantity=1, refunded=2250)
    scene.balance += 2250
    row = scene.run()
    assert named(row) == [("codes", "ORD-0", 2250), ("codes", "ORD-1", 0)]
    assert (
        "2 codes were ordered, 1 are in custody, 1 in delivery files" in row.differences.get(reference="ORD-0").sentence
    )


@pytest.mark.requirement("R88", "R93", "R98")
def test_an_unexplained_balance_is_named_with_its_minutes_and_orders(scene: Scene) -> None:
    scene.says(at=NOON - MINUTE)
    scene.buy("ORD-1", 4500, NOON)
    scene.says(at=NOON + MINUTE)
    scene.buy("ORD-2", 5500, NOON + 2 * MINUTE)
    scene.balance -= 250
    scene.says(at=NOON + 3 * MINUTE)
    scene.buy("ORD-3", 100, NOON + 4 * MINUTE)
    row = scene.run()
    assert (row.state, named(row), row.matched) == ("differs", [("balance", "balance", -250)], 3)
    sentence = row.differences.get().sentence
    assert "2.50 USD less than ours explains" in sentence
    assert "between 12:01:00 and 12:03:00 UTC, in which these orders moved: ORD-2." in sentence


def test_a_balance_that_never_agreed_points_to_the_day_before(scene: Scene) -> None:
    scene.says(90_000, at=START - timedelta(hours=1))
    scene.balance = 90_000
    row = scene.run()
    assert named(row) == [("balance", "balance", -10_000)]
    assert "look at the day before" in row.differences.get().sentence


def test_an_order_difference_explains_the_balance_so_that_it_is_named_once(scene: Scene) -> None:
    scene.says(at=NOON - MINUTE)
    order = scene.order("ORD-1", 4500)
    scene.there(order, 4600, NOON)
    scene.book(order, 4500, NOON)
    scene.balance -= 30
    row = scene.run()
    assert named(row) == [("amount", "ORD-1", -100), ("balance", "balance", -30)]


@pytest.mark.requirement("R97")
def test_a_second_run_of_the_same_day_gives_the_same_rows(scene: Scene) -> None:
    scene.buy("ORD-1")
    ghost = scene.order("ORD-2", 900)
    scene.book(ghost, 900, NOON)
    scene.balance -= 77
    scene.says(at=NOON + MINUTE)
    first = scene.run()
    rows, events = all_rows(first), AuditEvent.objects.filter(action="reconciliation.ran").count()
    for hours in (1, 20):
        again = scene.run(at=NEXT + timedelta(hours=hours))
        assert all_rows(again) == rows
        assert (again.pk, again.version, again.theirs_minor) == (first.pk, first.version, first.theirs_minor)
    assert AuditEvent.objects.filter(action="reconciliation.ran").count() == events


@pytest.mark.requirement("R97", "R98")
def test_a_difference_that_went_away_keeps_its_row_and_its_time(scene: Scene) -> None:
    ghost = scene.order("ORD-2", 900)
    scene.book(ghost, 900, NOON)
    assert named(scene.run()) == [("missing_there", "ORD-2", 900)]
    scene.there(ghost, 900, NOON)
    scene.says(at=NEXT + timedelta(seconds=1))
    later = NEXT + timedelta(hours=1)
    row = scene.run(at=later)
    assert (row.state, named(row)) == ("agrees", [])
    kept = Difference.objects.get()
    assert (kept.first_seen_at, kept.gone_at) == (NEXT + timedelta(minutes=5), later)


def test_a_balance_that_is_not_known_waits_and_is_never_zero(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.buy("ORD-1")
    row = scene.run(at=NEXT + timedelta(hours=40))
    assert (row.state, row.theirs_minor, row.difference_minor, row.theirs_read_at) == ("waiting", None, None, None)
    assert row.ours_minor == 95_500


def test_when_the_supplier_is_down_the_result_before_stays_with_a_sentence(scene: Scene) -> None:
    scene.buy("ORD-1")
    before = scene.run()
    scene.client.down = True
    row = scene.run(at=NEXT + timedelta(hours=1))
    assert (row.state, row.checked_at, row.theirs_minor) == ("agrees", before.checked_at, before.theirs_minor)
    assert "did not answer" in row.problem
    scene.client.down = False
    assert scene.run(at=NEXT + timedelta(hours=2)).problem == ""


def test_when_the_supplier_was_never_reached_the_day_waits(scene: Scene) -> None:
    scene.buy("ORD-1")
    scene.says()
    scene.client.down = True
    row = scene.run()
    assert (row.state, row.ours_minor, row.unread) == ("waiting", 95_500, 1)
    assert "did not answer" in row.problem


def test_orders_not_asked_about_yet_make_the_day_wait(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.client.lists = False
    monkeypatch.setattr("procurement.reconciliation.reading.MOST_READS", 2)
    for number in range(3):
        scene.buy(f"ORD-{number}", 4500, NOON + number * MINUTE)
    first = scene.run()
    assert (first.state, first.unread, first.matched, scene.client.reads) == ("waiting", 1, 2, ["r-ORD-0", "r-ORD-1"])
    second = scene.run(at=NEXT + timedelta(minutes=6))
    assert (second.state, second.unread, second.matched) == ("agrees", 0, 3)
    assert scene.client.reads[2:] == ["r-ORD-2"]


def test_today_is_compared_at_a_fresh_reading(scene: Scene) -> None:
    scene.buy("ORD-1")
    row = scene.run(at=NOON + timedelta(hours=1))
    assert (row.state, row.theirs_read_at, row.ours_minor) == ("agrees", NOON + timedelta(hours=1), 95_500)


def test_a_deposit_recorded_a_day_late_counts_for_its_own_day(scene: Scene) -> None:
    scene.balance += 500
    scene.says(at=NEXT + timedelta(seconds=5))
    assert named(scene.run()) == [("balance", "balance", 500)]
    scene.balance -= 500
    scene.deposit(500, NEXT + timedelta(hours=9), credited_on=DAY)
    row = scene.run(at=NEXT + timedelta(hours=10))
    assert (row.state, row.deposits_minor, row.ours_minor) == ("agrees", 500, 100_500)
    after = scene.run(DAY + timedelta(days=1), at=NEXT + timedelta(hours=10))
    assert (after.opening_minor, after.deposits_minor, after.state) == (100_500, 0, "agrees")


@pytest.mark.requirement("R93", "R98")
def test_a_deposit_credited_with_another_amount_is_a_difference_of_its_day(
    scene: Scene, finance: User, manager: User
) -> None:
    with moment(NOON):
        row = deposits.announce_deposit(
            by=finance, account=scene.account, amount_minor=900, currency="USD", way="USDT/TRC-20", reference="INV-1"
        )
        deposits.note_sent(by=finance, deposit=row, txid="a" * 64)
        deposits.credit_deposit(by=manager, deposit=row, amount_minor=850, reason="They say that it was a fee.")
    scene.balance += 850
    day = scene.run()
    assert (named(day), day.difference_minor, day.deposits_minor) == ([("deposit", "INV-1", -50)], 0, 850)
    assert "9.00 USD was announced and 8.50 USD credited" in day.differences.get().sentence


@pytest.mark.requirement("R88")
def test_a_fee_without_an_order_is_a_difference_that_a_correction_closes(
    scene: Scene, finance: User, manager: User
) -> None:
    scene.buy("ORD-1")
    scene.balance -= 300
    assert named(scene.run()) == [("balance", "balance", -300)]
    with moment(NEXT + timedelta(hours=9)):
        row = corrections.propose_correction(
            by=finance,
            account=scene.account,
            currency="USD",
            amount_minor=-300,
            against="fees",
            day=DAY,
            reason="A fee, as their support wrote.",
        )
        assert scene.run(at=NEXT + timedelta(hours=9)).state == "differs"
        corrections.book_correction(by=manager, correction=row)
    day = scene.run(at=NEXT + timedelta(hours=10))
    assert (day.state, named(day), day.credits_minor, day.difference_minor) == ("agrees", [], -300, 0)
    after = scene.run(DAY + timedelta(days=1), at=NEXT + timedelta(hours=10))
    assert (after.state, after.opening_minor, after.credits_minor) == ("agrees", day.ours_minor, 0)


def test_expected_balance_follows_the_ledger_through_the_day(scene: Scene) -> None:
    scene.buy("ORD-1", 4500, NOON)
    for at, expected in ((NOON, 100_000), (NOON + SOON, 95_500), (START - timedelta(days=9), 0)):
        assert expected_at(scene.account, "USD", at) == expected


@pytest.mark.requirement("R63")
def test_only_finance_runs_a_day(scene: Scene, manager: User, buyer: User, finance: User) -> None:
    for person in (manager, buyer):
        with pytest.raises(NotAllowed):
            scene.run(by=person)
    assert not Day.objects.exists()
    scene.run(by=finance)
    assert AuditEvent.objects.get(action="reconciliation.ran").actor == finance


def test_a_day_that_has_not_begun_is_refused(scene: Scene) -> None:
    with pytest.raises(Refused, match="has not begun"):
        scene.run(DAY + timedelta(days=3))
    assert not Day.objects.exists()


def test_runs_cost_the_same_number_of_queries_however_many_orders(
    scene: Scene, django_assert_max_num_queries: Any
) -> None:
    """Halving finds the day's edges: a longer history costs a few queries more, an order costs none."""
    for number in range(3):
        scene.buy(f"A-{number}", 450, NOON + number * MINUTE)
    scene.run()
    for number in range(20):
        scene.buy(f"B-{number}", 450, NOON + (10 + number) * MINUTE)
    scene.says(at=NEXT + timedelta(seconds=2))
    with django_assert_max_num_queries(110):
        row = scene.run()
    assert (row.state, row.matched) == ("agrees", 23)


def left_open(scene: Scene, amount: int) -> None:
    """The day before ended with this much of the balance unexplained."""
    zero = dict.fromkeys(("opening_minor", "deposits_minor", "orders_minor", "credits_minor", "ours_minor"), 0)
    day = Day.objects.create(account=scene.account, currency="USD", day=DAY - timedelta(days=1), **zero)
    Difference.objects.create(
        day=day,
        kind="balance",
        reference="balance",
        amount_minor=amount,
        effect_minor=amount,
        currency="USD",
        sentence="Not explained.",
    )


@pytest.mark.requirement("R98")
def test_what_the_day_before_left_open_hides_no_new_difference(scene: Scene) -> None:
    left_open(scene, 500)
    scene.balance += 500
    scene.says(at=START - MINUTE)
    scene.buy("ORD-1", 4500, NOON)
    scene.says(at=NOON + MINUTE)
    scene.buy("ORD-2", 5500, NOON + 2 * MINUTE)
    scene.balance -= 250
    scene.says(at=NOON + 3 * MINUTE)

    row = scene.run()

    assert named(row) == [("balance", "balance", -250), ("carried", "carried", 500)]
    assert "between 12:01:00 and 12:03:00 UTC" in row.differences.get(kind="balance").sentence


def test_a_day_that_only_carries_over_names_nothing_new(scene: Scene) -> None:
    left_open(scene, 500)
    scene.balance += 500
    scene.buy("ORD-1", 4500, NOON)

    row = scene.run()

    assert named(row) == [("carried", "carried", 500)]
    assert "explain it there" in row.differences.get().sentence


def test_a_carried_difference_that_healed_is_gone(scene: Scene) -> None:
    left_open(scene, 500)
    scene.buy("ORD-1", 4500, NOON)

    row = scene.run()

    assert (row.state, named(row)) == ("agrees", [])
