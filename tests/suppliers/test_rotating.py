"""Two API keys at a time: held, switched by the clock, cancelled, forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction

from procurement.audit.models import AuditEvent
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.suppliers import tasks
from procurement.suppliers.clients import client_for, problems
from procurement.suppliers.models import Exchange, SupplierAccount
from procurement.suppliers.rotating import cancel_next_key, hold_next_key, use_next_key
from procurement.suppliers.services import read_balance, set_api_key
from procurement.suppliers.states import KEY_REFUSED, LIVE
from procurement.vault import Purpose, Secret, seal
from procurement.work.models import DueWork
from procurement.work.registry import HANDLERS
from tests.suppliers.conftest import KEYS, Script
from tests.suppliers.test_accounts import BALANCE, REFUSED_KEY

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("R102")]
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=2)
NEW = "sk_next_CANARY_0009"
ORDER = {"id": "psb_1", "status": "pending"}


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as coordinates:
        yield coordinates


@pytest.fixture
def held(clock: Any, psnb2b: SupplierAccount, admin: Any) -> SupplierAccount:
    hold_next_key(by=admin, account=psnb2b, key=NEW, switch_at=LATER, transport=Script((200, BALANCE)))
    return psnb2b


def key_used(account: SupplierAccount) -> str:
    """The key of one call made now, as a worker that just loaded the account makes it."""
    script = Script((200, BALANCE))
    read_balance(SupplierAccount.objects.get(pk=account.pk), transport=script)
    return script.requests[0].headers["Authorization"].removeprefix("Bearer ")


def no_trace_of(key: str) -> bool:
    tables = (SupplierAccount, AuditEvent, Exchange, DueWork)
    return key not in repr([list(model.objects.values()) for model in tables])


@pytest.mark.requirement("R101")
def test_old_key_is_used_until_the_switch_and_the_new_one_from_then_on(held: SupplierAccount, clock: Any) -> None:
    assert key_used(held) == KEYS["psnb2b"]
    clock.move_to(LATER - timedelta(seconds=1))
    assert key_used(held) == KEYS["psnb2b"]
    clock.move_to(LATER)
    # No work has run: the clock alone decides.
    assert key_used(held) == NEW


def test_a_worker_that_loaded_the_account_before_the_switch_uses_the_new_key_too(
    held: SupplierAccount, clock: Any
) -> None:
    script = Script((201, ORDER))
    client = client_for(held, script)
    clock.move_to(LATER)
    client.place_order(b"{}")
    assert script.requests[0].headers["Authorization"] == f"Bearer {NEW}"


def test_the_old_key_is_forgotten_once(held: SupplierAccount, clock: Any) -> None:
    held.refresh_from_db()
    old = bytes(held.api_key_sealed)
    due = DueWork.objects.get(kind="account.key_switch")
    assert due.due_at == LATER
    assert HANDLERS[due.kind](due.ref) == LATER  # too early: it comes again
    clock.move_to(LATER)
    for _ in range(2):
        assert HANDLERS[due.kind](due.ref) is None
    held.refresh_from_db()
    assert (held.api_key_last4, held.api_key_set_at, held.next_key_from) == ("0009", LATER, None)
    assert bytes(held.next_key_sealed) == b""
    assert old not in [bytes(value) for value in SupplierAccount.objects.values_list("api_key_sealed", flat=True)]
    assert key_used(held) == NEW
    told = AuditEvent.objects.filter(action__startswith="account.key_").order_by("pk").values_list("action", "facts")
    assert list(told)[-2:] == [
        ("account.key_held", {"last4": "0009", "at": "2026-11-23 12:00 UTC"}),
        ("account.key_switched", {"last4": "0009", "before": KEYS["psnb2b"][-4:]}),
    ]
    assert DueWork.objects.filter(kind="account.balance").exists()
    assert no_trace_of(NEW)


def test_a_held_key_that_was_sealed_anew_meanwhile_takes_over_all_the_same(
    held: SupplierAccount, clock: Any, admin: Any
) -> None:
    held.refresh_from_db()
    script = Script((200, BALANCE))
    anew = seal(Secret(NEW), purpose=Purpose.SUPPLIER_API, context=held.context("api_key"))
    SupplierAccount.objects.filter(pk=held.pk).update(next_key_sealed=anew)
    use_next_key(by=admin, account=held, transport=script)
    assert key_used(held) == NEW
    assert bytes(SupplierAccount.objects.get().api_key_sealed) == anew


def test_a_key_that_does_not_work_is_not_held(clock: Any, psnb2b: SupplierAccount, admin: Any) -> None:
    with pytest.raises(problems.KeyRefused):
        hold_next_key(by=admin, account=psnb2b, key=NEW, switch_at=LATER, transport=Script(REFUSED_KEY))
    psnb2b.refresh_from_db()
    assert (psnb2b.state, psnb2b.next_key_from) == (LIVE, None)
    assert not DueWork.objects.exists()
    assert no_trace_of(NEW)


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(hours=-1), timedelta(days=7, seconds=1)])
def test_a_switch_time_outside_of_seven_days_is_refused_before_the_key_is_tried(
    ahead: timedelta, clock: Any, psnb2b: SupplierAccount, admin: Any
) -> None:
    script = Script((200, BALANCE))
    with pytest.raises(Refused, match="7 days"):
        hold_next_key(by=admin, account=psnb2b, key=NEW, switch_at=NOW + ahead, transport=script)
    psnb2b.refresh_from_db()
    assert psnb2b.next_key_from is None
    assert script.requests == []


def test_two_keys_are_not_held_at_once(held: SupplierAccount, admin: Any) -> None:
    held.refresh_from_db()
    before = bytes(held.next_key_sealed)
    with pytest.raises(Refused, match="ending 0009 is held"):
        hold_next_key(by=admin, account=held, key="sk_third_key", switch_at=LATER, transport=Script((200, BALANCE)))
    held.refresh_from_db()
    assert bytes(held.next_key_sealed) == before


def test_of_two_administrators_one_holds_a_key(clock: Any, psnb2b: SupplierAccount, admin: Any) -> None:
    slow = SupplierAccount.objects.get(pk=psnb2b.pk)
    hold_next_key(by=admin, account=psnb2b, key=NEW, switch_at=LATER, transport=Script((200, BALANCE)))
    with pytest.raises(StaleState):
        hold_next_key(by=admin, account=slow, key="sk_other_key", switch_at=LATER, transport=Script((200, BALANCE)))
    assert SupplierAccount.objects.get().next_key_last4 == "0009"


def test_a_cancelled_switch_leaves_the_old_key_in_use(held: SupplierAccount, clock: Any, admin: Any) -> None:
    cancel_next_key(by=admin, account=held)
    clock.move_to(LATER + timedelta(hours=1))
    assert HANDLERS["account.key_switch"](str(held.pk)) is None
    assert key_used(held) == KEYS["psnb2b"]
    assert AuditEvent.objects.filter(action="account.key_cancelled").get().facts == {"last4": "0009"}


def test_a_switch_that_happened_is_not_cancelled(held: SupplierAccount, clock: Any, admin: Any) -> None:
    clock.move_to(LATER)
    with pytest.raises(StaleState):
        cancel_next_key(by=admin, account=held)
    assert key_used(held) == NEW


def test_a_key_set_at_once_drops_the_held_one(held: SupplierAccount, clock: Any, admin: Any) -> None:
    set_api_key(by=admin, account=held, key="sk_urgent_0007", test=True, transport=Script((200, BALANCE)))
    clock.move_to(LATER)
    assert HANDLERS["account.key_switch"](str(held.pk)) is None
    assert key_used(held) == "sk_urgent_0007"


def test_a_held_key_ends_a_refusal_before_its_time(held: SupplierAccount, admin: Any) -> None:
    with pytest.raises(problems.KeyRefused):
        read_balance(held, transport=Script(REFUSED_KEY))
    held.refresh_from_db()
    assert held.state == KEY_REFUSED
    with pytest.raises(problems.KeyRefused):
        use_next_key(by=admin, account=held, transport=Script(REFUSED_KEY))
    held.refresh_from_db()
    assert (held.state, held.next_key_last4) == (KEY_REFUSED, "0009")
    use_next_key(by=admin, account=held, transport=Script((200, BALANCE)))
    assert (held.state, held.next_key_from) == (LIVE, None)
    assert key_used(held) == NEW


@pytest.mark.requirement("R25")
def test_a_new_key_refused_after_the_switch_asks_for_a_key(held: SupplierAccount, clock: Any, settings: Any) -> None:
    clock.move_to(LATER)
    HANDLERS["account.key_switch"](str(held.pk))
    settings.SUPPLIER_TRANSPORT = lambda account: Script(REFUSED_KEY)
    tasks.read_balance_task(str(held.pk))
    held.refresh_from_db()
    assert held.needs_new_key


def test_an_answer_to_the_old_key_that_comes_after_the_switch_refuses_nothing(
    held: SupplierAccount, clock: Any
) -> None:
    class Slow(Script):
        def answer(self, request: Any) -> Any:
            clock.move_to(LATER)
            return super().answer(request)

    with pytest.raises(problems.KeyRefused):
        client_for(held, Slow(REFUSED_KEY)).read_balance()
    held.refresh_from_db()
    assert held.state == LIVE


def test_only_administrators_rotate(held: SupplierAccount, finance: Any, manager: Any) -> None:
    before = SupplierAccount.objects.values().get()
    for person in (finance, manager):
        for act in (
            lambda: hold_next_key(by=person, account=held, key=NEW, switch_at=LATER),  # noqa: B023
            lambda: cancel_next_key(by=person, account=held),  # noqa: B023
            lambda: use_next_key(by=person, account=held),  # noqa: B023
        ):
            with pytest.raises(NotAllowed):
                act()
    assert SupplierAccount.objects.values().get() == before


def test_without_a_key_there_is_nothing_to_hold_one_beside(clock: Any, psnb2b: SupplierAccount, admin: Any) -> None:
    SupplierAccount.objects.filter(pk=psnb2b.pk).update(api_key_sealed=b"")
    psnb2b.refresh_from_db()
    with pytest.raises(Refused, match="Use the new key at once"):
        hold_next_key(by=admin, account=psnb2b, key=NEW, switch_at=LATER)
    assert SupplierAccount.objects.get().next_key_from is None


def test_a_held_key_without_a_time_is_refused_by_the_database(psnb2b: SupplierAccount) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        SupplierAccount.objects.filter(pk=psnb2b.pk).update(next_key_last4="0009")
