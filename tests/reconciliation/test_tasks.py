from __future__ import annotations

from datetime import date, timedelta

import pytest

from procurement.reconciliation import tasks
from procurement.reconciliation.models import Day
from procurement.reconciliation.window import WORK_KIND, work_ref
from procurement.work.models import DueWork
from procurement.work.registry import HANDLERS, JOBS
from procurement.work.runner import run_due
from tests.reconciliation.conftest import DAY, NEXT, NOON, START, Scene, moment


def due_days() -> list[str]:
    return sorted(
        ref.rpartition(":")[2] for ref in DueWork.objects.filter(kind=WORK_KIND).values_list("ref", flat=True)
    )


@pytest.mark.requirement("R91")
def test_yesterday_is_due_each_day_and_today_each_hour(scene: Scene) -> None:
    assert JOBS["reconciliation.daily"].every == timedelta(days=1)
    assert JOBS["reconciliation.today"].every == timedelta(hours=1)
    scene.account.created_at = NOON
    scene.account.save()
    with moment(NEXT + timedelta(seconds=5)):
        tasks.reconcile_yesterday_task()
        assert due_days() == ["2026-11-20"]
        tasks.reconcile_today_task()
    assert due_days() == ["2026-11-20", "2026-11-21"]


def test_days_missed_while_nothing_ran_are_made_good(scene: Scene) -> None:
    scene.account.created_at = NOON - timedelta(days=3)
    scene.account.save()
    scene.run(DAY - timedelta(days=1), at=START + timedelta(hours=1))
    scene.run(DAY - timedelta(days=2), at=NEXT - timedelta(days=2, hours=5))
    with moment(NEXT + timedelta(seconds=5)):
        tasks.reconcile_yesterday_task()
    assert due_days() == ["2026-11-17", "2026-11-18", "2026-11-20"]


def test_due_work_compares_the_day(scene: Scene) -> None:
    scene.buy("ORD-1")
    with moment(NEXT + timedelta(seconds=5)):
        tasks.reconcile_yesterday_task()
        assert run_due(kinds=[WORK_KIND]) >= 1
    assert Day.objects.get(day=DAY).state == "agrees"
    assert due_days() == []


def test_a_supplier_that_is_down_is_asked_again_for_past_days_only(scene: Scene) -> None:
    scene.client.down = True
    with moment(NEXT + timedelta(minutes=5)):
        again = HANDLERS[WORK_KIND](work_ref(scene.account, "USD", DAY))
        assert again == NEXT + timedelta(minutes=20)
        assert HANDLERS[WORK_KIND](work_ref(scene.account, "USD", date(2026, 11, 21))) is None


def test_unread_orders_are_read_in_the_next_rounds(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.client.lists = False
    monkeypatch.setattr("procurement.reconciliation.reading.MOST_READS", 1)
    for number in range(2):
        scene.buy(f"ORD-{number}", 450, NOON + number * timedelta(minutes=1))
    ref = work_ref(scene.account, "USD", DAY)
    with moment(NEXT + timedelta(minutes=5)):
        assert HANDLERS[WORK_KIND](ref) == NEXT + timedelta(minutes=5, seconds=30)
        assert HANDLERS[WORK_KIND](ref) is None
    assert Day.objects.get(day=DAY).state == "agrees"
