"""Due work in one process: wishing, claiming, retrying, leases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from procurement.errors import Refused
from procurement.work import queries, registry, runner, stopping
from procurement.work.models import DueWork
from procurement.work.runner import run_due
from procurement.work.services import make_due

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
pytestmark = pytest.mark.django_db

Register = Callable[[registry.Handler], None]


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as travelled:
        yield travelled


@pytest.fixture
def handles(monkeypatch: pytest.MonkeyPatch) -> Register:
    """Make one function the handler of kind `test.work`."""
    monkeypatch.setattr(registry, "HANDLERS", {})
    monkeypatch.setattr(runner, "HANDLERS", registry.HANDLERS)
    return lambda function: registry.HANDLERS.update({"test.work": function})


def test_done_work_is_run_once_and_forgotten(handles: Register) -> None:
    seen: list[str] = []
    handles(seen.append)
    make_due("test.work", "a")

    assert run_due() == 1
    assert run_due() == 0
    assert seen == ["a"]
    assert not DueWork.objects.exists()


def test_two_wishes_for_the_same_work_are_one_row_at_the_earlier_time(clock: object, handles: Register) -> None:
    handles(lambda ref: None)
    make_due("test.work", "a", NOON + 60 * SECOND)
    make_due("test.work", "a", NOON + 30 * SECOND)
    make_due("test.work", "a", NOON + 90 * SECOND)

    assert queries.next_due("test.work", "a") == NOON + 30 * SECOND
    assert DueWork.objects.count() == 1


def test_work_waits_for_its_time(clock: time_machine.Traveller, handles: Register) -> None:
    seen: list[str] = []
    handles(seen.append)
    make_due("test.work", "a", NOON + 30 * SECOND)

    assert run_due() == 0
    clock.shift(30)
    assert run_due() == 1
    assert seen == ["a"]


def test_a_handler_says_when_it_is_due_again(clock: object, handles: Register) -> None:
    handles(lambda ref: NOON + 40 * SECOND)
    make_due("test.work", "a")

    assert run_due() == 1
    row = DueWork.objects.get()
    assert (row.due_at, row.lease_until, row.tries) == (NOON + 40 * SECOND, None, 0)


def test_a_wish_during_the_run_is_run_again_at_once(clock: object, handles: Register) -> None:
    seen: list[str] = []

    def wanted_meanwhile(ref: str) -> None:
        seen.append(ref)
        if len(seen) == 1:
            make_due("test.work", ref)

    handles(wanted_meanwhile)
    make_due("test.work", "a")

    assert run_due() == 2
    assert seen == ["a", "a"]
    assert not DueWork.objects.exists()


def test_a_later_wish_during_the_run_waits_for_its_own_time(clock: object, handles: Register) -> None:
    handles(lambda ref: make_due("test.work", ref, NOON + 60 * SECOND))
    make_due("test.work", "a")

    assert run_due() == 1
    assert queries.next_due("test.work", "a") == NOON + 60 * SECOND


def test_failures_are_tried_again_after_5_15_45_seconds_up_to_15_minutes(
    clock: time_machine.Traveller, handles: Register
) -> None:
    def fails(ref: str) -> None:
        raise ValueError("ABCD-EFGH-JKLM")

    handles(fails)
    make_due("test.work", "a")
    waits = []
    for _ in range(8):
        assert run_due() == 1
        waits.append((DueWork.objects.get().due_at - timezone.now()).total_seconds())
        clock.move_to(DueWork.objects.get().due_at)

    assert waits == [5, 15, 45, 135, 405, 900, 900, 900]


def test_a_failure_keeps_the_kind_of_exception_and_never_its_arguments(
    handles: Register, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(ref: str) -> None:
        raise ValueError("ABCD-EFGH-JKLM")

    handles(fails)
    make_due("test.work", "a")
    run_due()

    error = DueWork.objects.get().last_error
    assert error.startswith("ValueError at work/test_queue.py:")
    assert "ABCD" not in error + caplog.text


def test_a_refusal_keeps_its_sentence_with_long_tokens_masked(handles: Register) -> None:
    def refuses(ref: str) -> None:
        raise Refused("Reconciliation refused code ABCD-EFGH-JKLM with key sk_live_0123456789; nothing was sent.")

    handles(refuses)
    make_due("test.work", "a")
    run_due()

    assert DueWork.objects.get().last_error == (
        "Refused: Reconciliation refused code *** with key ***; nothing was sent."
    )
    assert list(queries.failing_work()) == [DueWork.objects.get()]


def test_success_after_failures_forgets_the_error(clock: time_machine.Traveller, handles: Register) -> None:
    def fails(ref: str) -> None:
        raise ValueError

    handles(fails)
    make_due("test.work", "a")
    run_due()
    handles(lambda ref: NOON + 60 * SECOND)
    clock.shift(5)
    run_due()

    row = DueWork.objects.get()
    assert (row.tries, row.last_error) == (0, "")


def test_a_held_row_is_nobody_elses_until_its_lease_ends(clock: time_machine.Traveller, handles: Register) -> None:
    handles(lambda ref: None)
    make_due("test.work", "a")

    assert runner.claim_next() is not None
    clock.shift(89)
    assert runner.claim_next() is None
    clock.shift(1)
    again = runner.claim_next()
    assert again is not None
    assert (again.fence, again.tries) == (2, 2)


def test_a_worker_that_outlived_its_lease_writes_nothing(clock: time_machine.Traveller, handles: Register) -> None:
    handles(lambda ref: None)
    make_due("test.work", "a")
    late = runner.claim_next()
    clock.shift(90)
    current = runner.claim_next()
    assert late is not None
    assert current is not None

    runner.run_claim(late)
    assert DueWork.objects.get().fence == current.fence
    runner.run_claim(current)
    assert not DueWork.objects.exists()


def test_finishing_is_one_conditional_statement(handles: Register) -> None:
    handles(lambda ref: None)
    make_due("test.work", "a")
    claim = runner.claim_next()
    assert claim is not None

    with CaptureQueriesContext(connection) as statements:
        assert runner.finish(claim)
    assert [entry["sql"].split()[0] for entry in statements] == ["DELETE"]


def test_kinds_narrow_the_run_and_unknown_kinds_stay(handles: Register) -> None:
    handles(lambda ref: None)
    make_due("test.work", "a")
    make_due("test.nobody", "b")

    assert run_due(kinds=["test.other"]) == 0
    assert run_due() == 1
    assert DueWork.objects.get().kind == "test.nobody"


def test_the_longest_due_goes_first_and_the_limit_holds(clock: object, handles: Register) -> None:
    seen: list[str] = []
    handles(seen.append)
    for ref, age in (("young", 1), ("old", 3), ("middle", 2)):
        make_due("test.work", ref, NOON - age * SECOND)

    assert run_due(limit=2) == 2
    assert seen == ["old", "middle"]


def test_a_stop_lets_the_current_work_finish_and_begins_no_more(handles: Register) -> None:
    seen: list[str] = []

    def stops(ref: str) -> None:
        stopping.request_stop()
        seen.append(ref)

    handles(stops)
    make_due("test.work", "a")
    make_due("test.work", "b")
    try:
        assert run_due() == 1
    finally:
        stopping.stopping.clear()
    assert DueWork.objects.count() == 1


def test_a_rolled_back_wish_is_no_wish(handles: Register) -> None:
    handles(lambda ref: None)
    with transaction.atomic():
        make_due("test.work", "a")
        transaction.set_rollback(True)

    assert not DueWork.objects.exists()


def test_overdue_work_is_what_nobody_holds(clock: time_machine.Traveller, handles: Register) -> None:
    handles(lambda ref: None)
    make_due("test.work", "held")
    runner.claim_next()
    make_due("test.work", "waiting")
    clock.shift(61)

    assert [row.ref for row in queries.overdue_work()] == ["waiting"]


def test_two_handlers_of_one_kind_are_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="is registered by"):
        registry.refuse_second(runner.run_due, runner.finish, "test.work")
