"""Our own limits, what a supplier says about its, and what repeated failures do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.errors import Refused
from procurement.orders.services.timing import when_free
from procurement.suppliers import budget, shared_clock
from procurement.suppliers.clients import client_for, problems
from procurement.suppliers.clients.recording import retry_at, wait_seconds
from procurement.suppliers.clients.types import NotPlaced, Placed, Unknown
from procurement.suppliers.models import CallPlace, Exchange, SupplierAccount
from procurement.suppliers.services import pause_account, read_balance, resume_account
from procurement.suppliers.states import DOWN, LIVE, PAUSED
from tests.suppliers.conftest import Script, make_account

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ORDER = {"id": "psb_1", "status": "pending"}
BALANCE = {"balance": "12.50", "currency": "USD", "tier": {"name": "T1", "discount_percent": "0"}}


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as coordinates:
        yield coordinates


@pytest.fixture
def limited(clock: Any) -> SupplierAccount:
    return make_account("psnb2b", settings={})


def simulate(account: SupplierAccount, clock: Any, use: str, seconds: float, lasting: float) -> list[float]:
    """Call whenever allowed for `seconds`, each call `lasting` as long; the offsets at which one began."""
    began, until = [], NOW + timedelta(seconds=seconds)
    while timezone.now() < until:
        ticket = budget.take(account, use)
        if isinstance(ticket, datetime):
            clock.move_to(max(ticket, timezone.now() + timedelta(milliseconds=1)))
            continue
        began.append((timezone.now() - NOW).total_seconds())
        clock.shift(lasting)
        budget.ended(ticket, answered=True)
    return began


@pytest.mark.requirement("R39", "R40", "R45")
@pytest.mark.parametrize(("use", "most"), [("balance", 60), ("placing", 10), ("polling", 30)])
@pytest.mark.parametrize("lasting", [0.05, 0.9])
def test_no_minute_ever_sees_too_many_calls(
    use: str, most: int, lasting: float, limited: SupplierAccount, clock: Any
) -> None:
    began = simulate(limited, clock, use, 300, lasting)
    for start in began:
        # Whenever a call arrives between its beginning and its end.
        assert sum(start <= moment < start + 60 - lasting for moment in began) <= most
    assert len(began) >= 0.8 * 5 * most


@pytest.mark.requirement("R40")
def test_orders_go_a_window_after_the_end_of_the_tenth_before(limited: SupplierAccount, clock: Any) -> None:
    tickets = [budget.take(limited, budget.PLACING) for _ in range(10)]
    assert all(isinstance(ticket, tuple) for ticket in tickets)
    assert isinstance(budget.take(limited, budget.PLACING), datetime)
    clock.shift(20)
    budget.ended(tickets[0], answered=True)  # type: ignore[arg-type]
    clock.shift(60)
    assert isinstance(budget.take(limited, budget.PLACING), datetime)
    clock.shift(0.5)
    assert isinstance(budget.take(limited, budget.PLACING), tuple)


@pytest.mark.requirement("R39")
def test_call_without_an_answer_keeps_its_place_longer(limited: SupplierAccount, clock: Any) -> None:
    for _ in range(10):
        ticket = budget.take(limited, budget.PLACING)
        assert isinstance(ticket, tuple)
        budget.ended(ticket, answered=False)
    clock.shift(65)
    assert isinstance(budget.take(limited, budget.PLACING), datetime)
    clock.shift(2)
    assert isinstance(budget.take(limited, budget.PLACING), tuple)


def test_place_of_a_worker_that_died_comes_back(limited: SupplierAccount, clock: Any) -> None:
    assert all(isinstance(budget.take(limited, budget.PLACING), tuple) for _ in range(10))
    clock.shift(119)
    assert isinstance(budget.take(limited, budget.PLACING), datetime)
    clock.shift(2)
    assert isinstance(budget.take(limited, budget.PLACING), tuple)


@pytest.mark.requirement("R45")
def test_less_urgent_calls_give_way_when_few_remain(limited: SupplierAccount) -> None:
    left = dict.fromkeys((budget.CATALOGUE, budget.CLAIMS, budget.CODES, budget.BALANCE), 0)
    for use in left:
        while isinstance(budget.take(limited, use), tuple):
            left[use] += 1
    assert left == {"catalogue": 46, "claims": 8, "codes": 2, "balance": 2}


@pytest.mark.requirement("R45")
def test_polls_leave_half_of_the_calls(limited: SupplierAccount) -> None:
    polls = 0
    while isinstance(budget.take(limited, budget.POLLING), tuple):
        polls += 1
    assert polls == 30
    assert isinstance(budget.take(limited, budget.PLACING), tuple)


def test_refused_call_keeps_no_place_of_another_limit(limited: SupplierAccount) -> None:
    while isinstance(budget.take(limited, budget.BALANCE), tuple):
        pass
    assert isinstance(budget.take(limited, budget.PLACING), datetime)
    assert not CallPlace.objects.filter(name="orders", free_at__gt=NOW).exists()


def test_accounts_have_limits_of_their_own(limited: SupplierAccount, alpha: SupplierAccount) -> None:
    while isinstance(budget.take(limited, budget.BALANCE), tuple):
        pass
    assert isinstance(budget.take(alpha, budget.BALANCE), tuple)


@pytest.mark.parametrize(
    "limits",
    [
        {"all": {"calls": -1}},
        {"all": {"calls": "many"}},
        {"orders": {"calls": 10, "seconds": 0}},
        {"orders": {"interval": 6.7}},
        {"catalogue": {"calls": 3}},
    ],
)
def test_limits_that_cannot_be_kept_are_refused(limits: Any, db: None) -> None:
    with pytest.raises(Refused, match="The limits do not fit"):
        make_account("psnb2b", settings={"limits": limits})
    assert not SupplierAccount.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_threads_share_one_limit() -> None:
    account = make_account("psnb2b", settings={"limits": {"all": {"calls": 5}}})
    results: list[budget.Ticket | datetime] = []

    def work() -> None:
        try:
            results.extend(budget.take(account, budget.BALANCE) for _ in range(3))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 15
    assert sum(isinstance(result, tuple) for result in results) == 5


@pytest.mark.requirement("R39", "R44")
def test_exhausted_limit_sends_nothing_and_says_when(limited: SupplierAccount) -> None:
    script = Script((201, ORDER))
    client = client_for(limited, script)
    assert all(isinstance(client.place_order(b"{}"), Placed) for _ in range(10))
    verdict = client.place_order(b"{}")
    assert isinstance(verdict, NotPlaced)
    assert (verdict.reason_code, verdict.permanent) == ("waiting_for_limit", False)
    assert verdict.retry_at == timezone.now() + timedelta(seconds=60.3)
    assert len(script.requests) == 10
    script = Script((200, BALANCE))
    while isinstance(budget.take(limited, budget.BALANCE), tuple):
        pass
    with pytest.raises(problems.Throttled) as caught:
        client_for(limited, script).read_balance()
    assert caught.value.retry_at is not None
    assert script.requests == []


def test_host_whose_clock_is_ahead_does_not_come_back_at_once(
    limited: SupplierAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_clock, "now", lambda: timezone.now() - timedelta(seconds=5))
    for _ in range(10):
        ticket = budget.take(limited, budget.PLACING)
        assert isinstance(ticket, tuple)
        budget.ended(ticket, answered=True)
    verdict = client_for(limited, Script((201, ORDER))).place_order(b"{}")
    assert isinstance(verdict, NotPlaced)
    # Sixty seconds from now by its own clock, not fifty-five.
    assert verdict.retry_at == when_free(limited, paying=True) == timezone.now() + timedelta(seconds=60.3)
    SupplierAccount.objects.update(blocked_until=timezone.now() - timedelta(seconds=2))
    limited.refresh_from_db()
    assert when_free(limited, paying=False) == timezone.now() + timedelta(seconds=3)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("17", 17),
        (" 17 ", 17),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30),
        ("Sat, 21 Nov 2026 11:59:00 GMT", -60),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("99999999999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float | None) -> None:
    assert wait_seconds(header, NOW) == seconds


@pytest.mark.requirement("R43")
@pytest.mark.parametrize(
    ("header", "least", "most"), [("17", 17, 20.4), ("0", 1, 1.2), ("99999", 900, 1080), ("x", 30, 36), ("", 30, 36)]
)
def test_waiting_is_never_shorter_than_asked_and_clamped(header: str, least: float, most: float) -> None:
    for _ in range(50):
        waited = (retry_at({"retry-after": header}, NOW) - NOW).total_seconds()
        assert least <= waited <= most


@pytest.mark.requirement("R43")
def test_429_stops_every_worker_until_then(limited: SupplierAccount, clock: Any) -> None:
    answer = httpx.Response(429, json={"error": {"code": "rate_limited"}}, headers={"Retry-After": "60"})
    verdict = client_for(limited, Script(answer)).place_order(b"{}")
    assert isinstance(verdict, NotPlaced)
    assert verdict.retry_at is not None
    assert verdict.retry_at >= NOW + timedelta(seconds=60)
    other_worker = SupplierAccount.objects.get(pk=limited.pk)
    script = Script((201, ORDER))
    waiting = client_for(other_worker, script).place_order(b"{}")
    assert isinstance(waiting, NotPlaced)
    assert waiting.retry_at == verdict.retry_at
    with pytest.raises(problems.Throttled):
        client_for(other_worker, Script((200, BALANCE))).read_balance()
    assert script.requests == []
    assert AuditEvent.objects.filter(action="account.blocked").count() == 1
    clock.move_to(verdict.retry_at + timedelta(seconds=1))
    assert isinstance(client_for(other_worker, script).place_order(b"{}"), Placed)


@pytest.mark.requirement("R41", "R42")
def test_retry_after_on_a_success_stops_nothing_while_calls_remain(psnb2b: SupplierAccount) -> None:
    answer = httpx.Response(200, json=BALANCE, headers={"X-RateLimit-Remaining": "41", "Retry-After": "12"})
    client_for(psnb2b, Script(answer)).read_balance()
    psnb2b.refresh_from_db()
    assert psnb2b.blocked_until is None
    assert Exchange.objects.get().remaining_calls == 41


@pytest.mark.requirement("R42")
def test_no_remaining_call_stops_until_retry_after(psnb2b: SupplierAccount) -> None:
    answer = httpx.Response(200, json=BALANCE, headers={"X-RateLimit-Remaining": "0", "Retry-After": "12"})
    client_for(psnb2b, Script(answer)).read_balance()
    psnb2b.refresh_from_db()
    assert psnb2b.blocked_until is not None
    assert psnb2b.blocked_until > timezone.now()


def test_a_later_answer_never_shortens_the_wait(psnb2b: SupplierAccount) -> None:
    far = timezone.now() + timedelta(hours=1)
    SupplierAccount.objects.filter(pk=psnb2b.pk).update(blocked_until=far)
    from procurement.suppliers.clients.recording import note_limits

    reply_headers = {"retry-after": "1"}
    note_limits(psnb2b, type("R", (), {"status": 429, "headers": reply_headers})())
    psnb2b.refresh_from_db()
    assert psnb2b.blocked_until == far


@pytest.mark.requirement("R25")
class TestFailuresInARow:
    def test_five_failures_stop_orders_but_not_readings(self, psnb2b: SupplierAccount) -> None:
        script = Script((500, {}))
        for _ in range(5):
            assert isinstance(client_for(psnb2b, script).place_order(b"{}"), Unknown)
        psnb2b.refresh_from_db()
        assert psnb2b.state == DOWN
        script = Script((201, ORDER))
        verdict = client_for(psnb2b, script).place_order(b"{}")
        assert isinstance(verdict, NotPlaced)
        assert (verdict.reason_code, verdict.permanent) == ("account_not_live", False)
        assert script.requests == []
        assert AuditEvent.objects.filter(action="account.down").count() == 1

    def test_a_balance_reading_that_succeeds_ends_it(self, psnb2b: SupplierAccount) -> None:
        for _ in range(6):
            with pytest.raises(problems.NoAnswer):
                read_balance(psnb2b, transport=Script(httpx.ConnectError("x")))
        psnb2b.refresh_from_db()
        assert psnb2b.state == DOWN
        read_balance(psnb2b, transport=Script((200, BALANCE)))
        psnb2b.refresh_from_db()
        assert (psnb2b.state, psnb2b.failures_in_row) == (LIVE, 0)

    def test_a_success_between_starts_the_count_again(self, psnb2b: SupplierAccount) -> None:
        answers: list[tuple[int, Any]] = [*[(500, {})] * 4, (200, BALANCE), *[(500, {})] * 4]
        for answer in answers:
            try:
                read_balance(psnb2b, transport=Script(answer))
            except problems.NoAnswer:
                continue
        psnb2b.refresh_from_db()
        assert psnb2b.state == LIVE

    def test_a_refused_order_is_no_failure(self, psnb2b: SupplierAccount) -> None:
        for _ in range(6):
            client_for(psnb2b, Script((422, {"error": {"code": "out_of_stock"}}))).place_order(b"{}")
        psnb2b.refresh_from_db()
        assert (psnb2b.state, psnb2b.failures_in_row) == (LIVE, 0)


@pytest.mark.requirement("R25")
def test_paused_account_sends_no_order_until_resumed(psnb2b: SupplierAccount, admin: Any) -> None:
    pause_account(by=admin, account=psnb2b, reason="Supplier maintenance")
    script = Script((201, ORDER))
    stale = SupplierAccount.objects.get(pk=psnb2b.pk)
    stale.state = LIVE
    verdict = client_for(stale, script).place_order(b"{}")
    assert isinstance(verdict, NotPlaced)
    assert not verdict.permanent
    assert verdict.retry_at is not None
    assert script.requests == []
    assert client_for(psnb2b, Script((200, BALANCE))).read_balance().balances
    psnb2b.refresh_from_db()
    with pytest.raises(Refused, match="A reason is needed"):
        resume_account(by=admin, account=psnb2b, reason=" ")
    psnb2b.refresh_from_db()
    assert psnb2b.state == PAUSED
    resume_account(by=admin, account=psnb2b, reason="They are back")
    assert isinstance(client_for(psnb2b, script).place_order(b"{}"), Placed)


def test_limits_in_use_are_shown_without_taking(limited: SupplierAccount) -> None:
    assert [use.free_at for use in budget.use_of(limited)] == [None, None, None]
    for _ in range(10):
        ticket = budget.take(limited, budget.PLACING)
        assert isinstance(ticket, tuple)
        budget.ended(ticket, answered=True)
    places = list(CallPlace.objects.order_by("pk").values_list("free_at", flat=True))
    uses = {use.name: use for use in budget.use_of(limited)}
    assert uses["orders"].free_at == timezone.now() + timedelta(seconds=60.3)
    assert uses["all"].free_at is None
    assert (uses["orders"].taken, uses["orders"].free, uses["all"].taken, uses["all"].calls) == (10, 0, 10, 58)
    assert list(CallPlace.objects.order_by("pk").values_list("free_at", flat=True)) == places
