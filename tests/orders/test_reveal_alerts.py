"""Unusual reveals: every pattern fires for what it names and for nothing less, within the minute, and others look at it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.claims.models import Case
from procurement.claims.services.cases import close_case, solve_case
from procurement.orders.models import Code, Order, Reveal, RevealAlert
from procurement.orders.tasks import watch_lost_reveals
from procurement.orders.watching import PATTERNS, WATCH
from procurement.staff.models import RoleGrant, User
from procurement.web.once import new_token
from procurement.work.models import DueWork
from procurement.work.runner import run_due
from tests.claims.conftest import account, case, make_code, make_order, wrong_code
from tests.orders.revealing import ask, by_order, plain, signed_in

__all__ = ["account", "case", "make_code", "make_order", "wrong_code"]
pytestmark = pytest.mark.django_db
MakeCode = Callable[..., Code]
NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def noon() -> Iterator[Any]:
    """A day's middle, so that nothing is unusual about the time."""
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def newcomer(person: Callable[..., User]) -> User:
    """A manager since two days."""
    return since(person("nia_newcomer"), timedelta(days=2))


def since(person: User, ago: timedelta) -> User:
    """Somebody with the role of a manager for that long, settled."""
    RoleGrant.objects.create(user=person, role="manager", granted_at=NOON - ago, settled_at=NOON - ago)
    return person


def alerts() -> list[str]:
    """The alerts there are once the due work was done."""
    run_due(kinds=(WATCH,))
    return list(RevealAlert.objects.order_by("id").values_list("pattern", flat=True))


def reveal(person: User, code: Code, times: int = 1, **more: Any) -> None:
    for _ in range(times):
        assert ask(person, code, by_order(code), **more).status_code == 200


def test_a_usual_reveal_is_no_alert(manager: User, wrong_code: Code) -> None:
    reveal(manager, wrong_code, 2)

    assert alerts() == []
    assert not Reveal.objects.filter(watched_at__isnull=True).exists()


def test_more_than_five_in_ten_minutes(manager: User, wrong_code: Code, noon: Any) -> None:
    reveal(manager, wrong_code)
    noon.shift(timedelta(minutes=10))
    reveal(manager, wrong_code, 5)
    assert alerts() == []

    reveal(manager, wrong_code)

    assert alerts() == ["burst"]


@pytest.mark.parametrize(
    ("hour", "minute", "found"), [(5, 59, ["off_hours"]), (6, 0, []), (19, 59, []), (20, 0, ["off_hours"])]
)
def test_outside_the_working_hours(
    manager: User, wrong_code: Code, noon: Any, hour: int, minute: int, found: list[str]
) -> None:
    noon.move_to(NOON.replace(hour=hour, minute=minute))
    reveal(manager, wrong_code)

    assert alerts() == found


@pytest.mark.parametrize(("days", "found"), [(30, []), (31, ["old_code"])])
def test_a_code_that_has_been_here_for_long(manager: User, wrong_code: Code, days: int, found: list[str]) -> None:
    Code.objects.update(stored_at=NOON - timedelta(days=days))
    reveal(manager, wrong_code)

    assert alerts() == found


def test_an_address_or_a_browser_never_used_before(manager: User, wrong_code: Code) -> None:
    client = signed_in(manager)
    for browser in ("Firefox", "Firefox", "curl"):
        ask(client, wrong_code, by_order(wrong_code), headers={"User-Agent": browser})
    assert alerts() == ["elsewhere"]

    client.defaults["REMOTE_ADDR"] = "203.0.113.9"
    ask(client, wrong_code, by_order(wrong_code), headers={"User-Agent": "Firefox"})

    assert alerts() == ["elsewhere", "elsewhere"]


@pytest.mark.parametrize(("days", "found"), [(6, ["new_role"]), (7, [])])
def test_within_a_week_of_getting_the_role(outsider: User, wrong_code: Code, days: int, found: list[str]) -> None:
    reveal(since(outsider, timedelta(days=days)), wrong_code)

    assert alerts() == found


def test_three_codes_of_an_order_one_after_the_other(manager: User, wrong_code: Code, make_code: MakeCode) -> None:
    row = [wrong_code, *(make_code(wrong_code.order, f"TST0-7K3M-AA0{number}") for number in range(2, 5))]
    for position in (4, 2, 1):
        reveal(manager, row[position - 1])
    assert alerts() == []

    reveal(manager, row[2])

    assert alerts() == ["neighbours"]


def test_the_buyer_of_the_order(manager: User, wrong_code: Code) -> None:
    Order.objects.update(requested_by=manager)
    reveal(manager, wrong_code)

    assert alerts() == ["own_order"]


@pytest.mark.parametrize("state", ["claimed", "replaced", "credited"])
def test_a_code_that_was_claimed(manager: User, wrong_code: Code, state: str) -> None:
    Code.objects.filter(pk=wrong_code.pk).update(state=state)
    reveal(manager, wrong_code)

    assert alerts() == ["claimed"]


def test_a_code_that_somebody_else_had_seen(manager: User, second_manager: User, wrong_code: Code) -> None:
    reveal(second_manager, wrong_code)
    assert alerts() == []

    reveal(manager, wrong_code)

    assert alerts() == ["second"]


@pytest.mark.parametrize("end", [close_case, solve_case])
@pytest.mark.parametrize(("minutes", "found"), [(59, ["after_case"]), (60, [])])
def test_within_an_hour_of_the_end_of_the_case(
    manager: User, support: User, case: Case, noon: Any, end: Any, minutes: int, found: list[str]
) -> None:
    words = {"reason": "The customer found it"} if end is close_case else {"note": "The customer found it"}
    end(by=support, case=case, **words)
    noon.shift(timedelta(minutes=minutes))
    code = Code.objects.select_related("order", "account").get(cases=case)
    reveal(manager, code)

    assert alerts() == found


def test_three_refusals_in_an_hour(support: User, outsider: User, wrong_code: Code, noon: Any) -> None:
    for who in (support, support, outsider):
        ask(who, wrong_code, "case:0")
    noon.shift(timedelta(minutes=60))
    ask(support, wrong_code, "case:0")
    assert alerts() == []

    for _ in range(2):
        noon.shift(timedelta(seconds=1))
        ask(support, wrong_code, "case:0")

    assert alerts() == ["refusals"]
    assert RevealAlert.objects.get().person == support


def test_there_is_a_test_of_each_pattern() -> None:
    tested = {"burst", "off_hours", "old_code", "elsewhere", "new_role", "neighbours", "own_order", "claimed"}
    assert set(PATTERNS) == tested | {"second", "after_case", "refusals"}


def test_an_alert_is_there_within_the_minute_and_says_so(
    newcomer: User, wrong_code: Code, noon: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    reveal(newcomer, wrong_code)
    assert DueWork.objects.filter(kind=WATCH, due_at__lte=timezone.now()).count() == 1

    assert alerts() == ["new_role"]

    assert "Unusual reveal: Nia Newcomer revealed a code within a week" in caplog.text
    assert AuditEvent.objects.get(action="code.reveal_unusual").facts["pattern"] == "new_role"


def test_a_reveal_whose_work_was_lost_is_watched_by_the_sweep(newcomer: User, wrong_code: Code, noon: Any) -> None:
    reveal(newcomer, wrong_code)
    DueWork.objects.all().delete()
    watch_lost_reveals()
    assert alerts() == []

    noon.shift(timedelta(seconds=31))
    watch_lost_reveals()

    assert alerts() == ["new_role"]
    watch_lost_reveals()
    assert alerts() == ["new_role"]


# Looking


@pytest.fixture
def alert(newcomer: User, wrong_code: Code) -> RevealAlert:
    reveal(newcomer, wrong_code)
    alerts()
    return RevealAlert.objects.get()


def look(person: User, alert: RevealAlert, reason: str = "Asked: a customer waited on the phone") -> Any:
    address = reverse("orders:alert_look", args=[alert.pk])
    return signed_in(person).post(address, {"once": new_token(), "reason": reason})


def test_somebody_else_looks_at_it_and_says_what_they_found(auditor: User, finance: User, alert: RevealAlert) -> None:
    overview = signed_in(auditor).get(reverse("overview")).content.decode()
    assert "1 unusual reveal of codes" in overview
    assert "within a week" in signed_in(auditor).get(reverse("orders:alert_list")).content.decode()

    assert look(auditor, alert).status_code == 303

    alert.refresh_from_db()
    assert (alert.looked_by, alert.looked_at, alert.note) == (auditor, NOON, "Asked: a customer waited on the phone")
    assert AuditEvent.objects.get(action="code.reveal_looked_at").actor == auditor
    assert look(finance, alert).status_code == 422
    alert.refresh_from_db()
    assert alert.looked_by == auditor
    page = signed_in(finance).get(reverse("orders:alert_detail", args=[alert.pk])).content.decode()
    assert "a customer waited on the phone" in page


def test_nobody_looks_at_their_own_alert(newcomer: User, alert: RevealAlert) -> None:
    answer = look(newcomer, alert)

    assert (answer.status_code, "about you" in answer.content.decode()) == (422, True)
    assert "unusual reveal of codes" not in signed_in(newcomer).get(reverse("overview")).content.decode()
    with pytest.raises(IntegrityError), transaction.atomic():
        RevealAlert.objects.update(looked_by=newcomer, looked_at=NOON)
    alert.refresh_from_db()
    assert alert.looked_by is None


@pytest.mark.parametrize("reason", ["", "fine"])
def test_a_look_needs_words(auditor: User, alert: RevealAlert, reason: str) -> None:
    assert look(auditor, alert, reason).status_code == 422

    alert.refresh_from_db()
    assert alert.looked_by is None


@pytest.mark.parametrize("who", ["buyer", "support", "outsider"])
def test_alerts_are_for_those_who_read_the_record(who: str, alert: RevealAlert, request: pytest.FixtureRequest) -> None:
    person = request.getfixturevalue(who)
    pages = [reverse("orders:alert_list"), reverse("orders:alert_detail", args=[alert.pk])]

    assert [signed_in(person).get(page).status_code for page in pages] == [403, 403]
    assert look(person, alert).status_code == 403
    alert.refresh_from_db()
    assert alert.looked_by is None


def test_no_alert_is_ever_deleted(alert: RevealAlert) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        RevealAlert.objects.all().delete()

    assert RevealAlert.objects.count() == 1


def test_the_list_exports_who_and_what_without_a_code(auditor: User, alert: RevealAlert) -> None:
    answer: Any = signed_in(auditor).get(reverse("orders:alert_list"), {"format": "csv"})
    lines = b"".join(answer.streaming_content).decode()

    assert "Nia Newcomer revealed a code within a week" in lines
    assert plain(alert.reveal.code) not in lines.replace("-", "")
    assert AuditEvent.objects.filter(action="export.made").count() == 1
