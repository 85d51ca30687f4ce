"""Finding out what became of an unconfirmed order: readings on a clock, binding on proof, people after a day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from ledger.money import parse_amount
from procurement.audit.models import AuditEvent
from procurement.bookkeeping import deposits, postings
from procurement.orders.evidence import evidence_of, objections_to, proposals_for
from procurement.orders.models import Attempt, Lane, Order, UnclaimedOrder
from procurement.orders.services import investigating
from procurement.orders.services.investigating import investigate
from procurement.orders.services.placing import place_order
from procurement.orders.services.resolving import propose_outcome
from procurement.orders.services.unclaimed import note_unclaimed
from procurement.orders.tasks import sweep_orders
from procurement.staff.models import User
from procurement.suppliers.models import BalanceSnapshot, SupplierAccount, WebhookEvent
from procurement.suppliers.states import ORDER_NOT_FOUND
from procurement.work.models import DueWork
from procurement.work.runner import run_due
from tests.orders.conftest import Shop, run_until_settled

pytestmark = pytest.mark.django_db(transaction=True)
Submitted = Callable[..., Order]


def lose(shop: Shop, order: Order, fault: str = "answer_lost") -> Order:
    """Lose the answer: after the supplier took it, or (`error_before_accept`) before it looked."""
    shop.sandbox.arm(order.account.code, fault)
    place_order(str(order.pk))
    order.refresh_from_db()
    assert order.state == "unknown"
    return order


def watch(order: Order, minutes: int, every: int = 5) -> None:
    """What the desk does by itself in the next minutes."""
    start = timezone.now()
    for minute in range(1, minutes + 1, every):
        with time_machine.travel(start + timedelta(minutes=minute)):
            run_due(kinds=["order.investigate", "order.unclaimed"])


def signed_event(order: Order, remote_id: str) -> None:
    """An event that passed every check and named an order nobody knew."""
    WebhookEvent.objects.create(
        account=order.account,
        dedupe_key=f"id:{remote_id}",
        remote_order_id=remote_id,
        remote_status="paid",
        result=ORDER_NOT_FOUND,
        body_sha256="0" * 64,
        size=1,
    )
    note_unclaimed(account=order.account, remote_id=remote_id, seen_by="event")


# The evidence


@pytest.mark.requirement("R26", "R27")
def test_every_attempt_stands_with_both_ids_and_the_balance_less_what_the_ledger_explains(
    shop: Shop, submitted: Submitted
) -> None:
    order = lose(shop, submitted("psnb2b"))
    deposits.open_book(
        account=order.account,
        amount_minor=100_00,
        currency="USD",
        credited_on=timezone.now().date(),
        reference="late",
    )
    watch(order, 2)

    evidence = evidence_of(order)

    call = evidence.attempts[0].calls[0]
    attempt = order.attempts.get()
    assert (evidence.attempts[0].number, len(evidence.attempts[0].key_fingerprint)) == (1, 8)
    assert str(attempt.pk) not in call.request_id
    assert call.outcome == "unknown"
    assert evidence.balance_before == 5000_00
    charged = parse_amount(shop.sandbox.orders(supplier="psnb2b")[0]["total"], "USD")
    assert evidence.readings[0].available == 5000_00 - charged
    # The deposit of today counts at the supplier all day long, so before and after alike.
    assert evidence.missing == charged
    # The discount of the account's tier is no part of the price list.
    assert charged < evidence.cost
    assert evidence.fell


@pytest.mark.requirement("R26")
def test_a_balance_that_stood_still_speaks_for_not_placed_only_after_three_readings_over_a_quarter(
    shop: Shop, submitted: Submitted
) -> None:
    order = lose(shop, submitted("psnb2b"), "error_before_accept")
    watch(order, 10)
    early = evidence_of(order)
    watch(order, 20)
    late = evidence_of(order)

    assert early.still
    assert not early.enough
    assert proposals_for(early)[0].verdict == "ask"
    assert "would say more" in objections_to(early, "not_placed")[0]
    assert late.enough
    assert proposals_for(late)[0].verdict == "not_placed"
    assert objections_to(late, "not_placed") == []


def test_a_supplier_that_books_late_is_waited_for_twice_as_long(shop: Shop, submitted: Submitted) -> None:
    order = lose(shop, submitted("psnb2b"), "error_before_accept")
    SupplierAccount.objects.filter(pk=order.account_id).update(settings={"posting_lag_minutes": 20})
    order = Order.objects.get(pk=order.pk)
    watch(order, 30)

    assert not evidence_of(order).enough
    assert evidence_of(order).patience == timedelta(minutes=40)


def test_money_gone_and_no_order_speaks_for_paid_without_goods(shop: Shop, submitted: Submitted) -> None:
    order = lose(shop, submitted("psnb2b"))
    watch(order, 2)

    found = proposals_for(evidence_of(order))

    assert [one.verdict for one in found] == ["paid_no_goods", "ask"]
    assert objections_to(evidence_of(order), "paid_no_goods") == []
    assert objections_to(evidence_of(order), "not_placed")


def test_another_sum_than_the_cost_speaks_for_nothing(shop: Shop, submitted: Submitted) -> None:
    order = lose(shop, submitted("psnb2b"))
    shop.sandbox.account("psnb2b", balance={"USD": "4999.00"})
    watch(order, 20)

    assert [one.verdict for one in proposals_for(evidence_of(order))] == ["ask"]
    assert objections_to(evidence_of(order), "not_placed")


def test_what_speaks_against_a_verdict_names_no_amount(shop: Shop, submitted: Submitted) -> None:
    order = lose(shop, submitted("psnb2b"))
    watch(order, 2)

    assert "USD" not in " ".join(objections_to(evidence_of(order), "not_placed"))


# Binding without people


@pytest.mark.requirement("R26", "R58")
def test_a_signed_event_and_a_full_match_and_the_balance_bind_it_without_people(
    shop: Shop, submitted: Submitted
) -> None:
    order = lose(shop, submitted("psnb2b"))
    remote_id = str(shop.sandbox.orders(supplier="psnb2b")[0]["order_id"])
    signed_event(order, remote_id)

    watch(order, 3, every=1)

    order.refresh_from_db()
    assert (order.state, order.remote_id) == ("placed", remote_id)
    assert order.attempts.get().state == "placed"
    assert Lane.objects.get(account=order.account).holder is None
    assert (UnclaimedOrder.objects.get().state, UnclaimedOrder.objects.get().order) == ("bound", order)
    assert AuditEvent.objects.get(subject_id=str(order.pk), action="order.placed").actor is None
    assert len(shop.sandbox.orders(supplier="psnb2b")) == 1
    assert run_until_settled(order).state == "codes_stored"


def test_without_a_signed_event_the_same_match_waits_for_two_people(shop: Shop, submitted: Submitted) -> None:
    order = lose(shop, submitted("psnb2b"))
    remote_id = str(shop.sandbox.orders(supplier="psnb2b")[0]["order_id"])
    note_unclaimed(account=order.account, remote_id=remote_id, seen_by="person")

    watch(order, 3, every=1)

    order.refresh_from_db()
    proposal = proposals_for(evidence_of(order))[0]
    assert (order.state, order.remote_id) == ("unknown", "")
    assert (proposal.verdict, proposal.remote_id, proposal.by_system) == ("placed", remote_id, False)


DIFFERENT: dict[str, dict[str, Any]] = {
    "another region": {"region": "TR"},
    "another face value": {"denomination": 20},
    "another quantity": {"quantity": 9},
    "another currency": {"currency": "EUR"},
    "a higher total": {"total_minor": 10**7},
    "long before": {"created_at": "2026-01-01T00:00:00+00:00"},
    "no time stated": {"created_at": None},
    "no total stated": {"total_minor": None},
    "only the id": {"read_at": None},
}


@pytest.mark.requirement("R26")
@pytest.mark.parametrize("how", DIFFERENT)
def test_one_field_that_differs_or_is_not_stated_leaves_it_to_people(
    shop: Shop, submitted: Submitted, how: str
) -> None:
    order = lose(shop, submitted("psnb2b"))
    remote_id = str(shop.sandbox.orders(supplier="psnb2b")[0]["order_id"])
    signed_event(order, remote_id)
    run_due(kinds=["order.unclaimed"])
    UnclaimedOrder.objects.update(**DIFFERENT[how])
    DueWork.objects.filter(kind="order.unclaimed").delete()

    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        investigate(str(order.pk))

    order.refresh_from_db()
    assert (order.state, order.remote_id) == ("unknown", "")
    assert not any(one.by_system for one in proposals_for(evidence_of(order)))
    assert Lane.objects.get(account=order.account).holder is not None


def test_two_orders_that_fit_leave_it_to_people(shop: Shop, submitted: Submitted) -> None:
    order = lose(shop, submitted("psnb2b"))
    remote_id = str(shop.sandbox.orders(supplier="psnb2b")[0]["order_id"])
    signed_event(order, remote_id)
    run_due(kinds=["order.unclaimed"])
    twin = UnclaimedOrder.objects.get()
    UnclaimedOrder.objects.create(
        **{
            name: getattr(twin, name)
            for name in (
                "account",
                "region",
                "denomination",
                "quantity",
                "total_minor",
                "currency",
                "created_at",
                "read_at",
            )
        },
        remote_id="psb_twin",
        seen_by="event",
    )

    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        investigate(str(order.pk))

    order.refresh_from_db()
    assert order.state == "unknown"
    assert [one.verdict for one in proposals_for(evidence_of(order))] == ["ask"]


@pytest.mark.requirement("R26", "R31")
def test_an_order_listed_under_our_own_id_is_bound_without_another_sending(shop: Shop, submitted: Submitted) -> None:
    order = submitted("alpha")
    SupplierAccount.objects.filter(pk=order.account_id).update(settings={"key_window_hours": 0})
    lose(shop, order)

    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        assert investigate(str(order.pk)) is None

    order.refresh_from_db()
    assert order.state == "placed"
    assert order.remote_id == shop.sandbox.orders(supplier="alpha")[0]["order_id"]
    assert len(shop.sandbox.requests(supplier="alpha", method="POST")) == 1


def test_a_proposal_of_people_is_void_once_the_supplier_told(shop: Shop, submitted: Submitted, support: User) -> None:
    order = submitted("alpha")
    SupplierAccount.objects.filter(pk=order.account_id).update(settings={"key_window_hours": 0})
    lose(shop, order)
    propose_outcome(
        by=support, order=order, verdict="not_placed", remote_id="", reason="Nothing was seen.", acknowledged=True
    )

    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        investigate(str(order.pk))

    assert order.resolutions.get().state == "overtaken"


# The clock


def test_it_is_looked_into_every_minute_and_later_every_five(shop: Shop, submitted: Submitted) -> None:
    order = lose(shop, submitted("psnb2b"), "error_before_accept")
    now = timezone.now()

    with time_machine.travel(now + timedelta(minutes=1), tick=False):
        assert investigate(str(order.pk)) == timezone.now() + timedelta(seconds=60)
    with time_machine.travel(now + timedelta(hours=2), tick=False):
        assert investigate(str(order.pk)) == timezone.now() + timedelta(minutes=5)
    assert BalanceSnapshot.objects.filter(taken_at__gt=order.attempts.get().sent_at).count() == 2


@pytest.mark.requirement("R26")
def test_after_a_day_people_are_called_and_nothing_is_sent_again(shop: Shop, submitted: Submitted) -> None:
    order = submitted("alpha")
    SupplierAccount.objects.filter(pk=order.account_id).update(settings={"key_window_hours": 24})
    lose(shop, order, "error_before_accept")

    with time_machine.travel(timezone.now() + timedelta(hours=24, minutes=1)):
        investigate(str(order.pk))
        order.refresh_from_db()
        assert order.state == "manual_review"
        assert place_order(str(order.pk)) is None

    assert "24 hours" in AuditEvent.objects.get(action="order.needs_review").facts["why"]
    assert postings.free_balance("alpha", "USD") == 5000_00 - order.max_total_minor
    assert len(shop.sandbox.requests(supplier="alpha", method="POST")) == 1


def test_a_decided_order_is_not_looked_into_any_more(shop: Shop, submitted: Submitted) -> None:
    order = run_until_settled(submitted("psnb2b"))

    assert investigate(str(order.pk)) is None
    assert not DueWork.objects.filter(kind="order.investigate").exists()


def test_an_account_whose_key_is_refused_is_not_asked(
    shop: Shop, submitted: Submitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = lose(shop, submitted("psnb2b"))
    SupplierAccount.objects.filter(pk=order.account_id).update(state="key_refused")
    monkeypatch.setattr(investigating, "look_around", lambda *_: pytest.fail("asked"))

    again = investigate(str(order.pk))

    assert again is not None
    assert again > timezone.now()


@pytest.mark.requirement("R26")
def test_whatever_still_moves_gets_a_due_time_again_when_its_row_is_lost(shop: Shop, submitted: Submitted) -> None:
    approved = submitted("alpha")
    lost = lose(shop, submitted("psnb2b"))
    note_unclaimed(account=lost.account, remote_id="psb_9", seen_by="event")
    DueWork.objects.all().delete()

    sweep_orders()

    kinds = set(DueWork.objects.values_list("kind", "ref"))
    assert ("order.place", str(approved.pk)) in kinds
    assert ("order.investigate", str(lost.pk)) in kinds
    assert ("order.unclaimed", str(UnclaimedOrder.objects.get().pk)) in kinds


def test_a_worker_that_died_in_a_sending_leaves_an_order_to_find_out_about(shop: Shop, submitted: Submitted) -> None:
    order = submitted("psnb2b")
    Attempt.objects.filter(order=order).update(
        state="sending", sent_at=timezone.now(), deadline=timezone.now() + timedelta(seconds=60)
    )
    Order.objects.filter(pk=order.pk).update(state="placing")

    with time_machine.travel(timezone.now() + timedelta(seconds=91)):
        assert place_order(str(order.pk)) is None

    order.refresh_from_db()
    assert (order.state, order.attempts.get().state) == ("unknown", "unknown")
    assert DueWork.objects.filter(kind="order.investigate", ref=str(order.pk)).exists()
    assert shop.sandbox.requests(supplier="psnb2b", method="POST") == []
