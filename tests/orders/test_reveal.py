"""The steps of a reveal: ground, reason, limits, record, and only then one code, in one answer and nowhere else."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Max
from django.urls import reverse
from django.utils import timezone

from procurement import faultpoints
from procurement.claims.models import Case
from procurement.claims.services.cases import close_case, open_case
from procurement.errors import Unavailable
from procurement.orders.models import Code, Order, Reveal
from procurement.orders.services import revealing
from procurement.orders.services.revealing import Ask, reveal_code, reveals_left
from procurement.staff.models import RoleGrant, User
from procurement.vault import Secret
from tests.catalog.test_at_once import at_once
from tests.claims.conftest import CODE, account, by_hand, case, code_of, make_code, make_order, wrong_code
from tests.faults.forking import in_a_child
from tests.orders.revealing import HTMX, WHY, ask, by_order, events, holds, signed_in, url

__all__ = ["account", "by_hand", "case", "make_code", "make_order", "wrong_code"]
pytestmark = pytest.mark.django_db
on_record = pytest.mark.django_db(transaction=True)
MakeCode = Callable[..., Code]


def nothing_opened(answer: Any, code: Code) -> bool:
    return not holds(answer, code) and not Reveal.objects.exclude(outcome="refused").exists()


# Grounds


@pytest.mark.requirement("R62", "R63", "N16")
def test_support_reveals_the_code_of_their_own_case(support: User, case: Case) -> None:
    code = code_of(case)
    answer = ask(support, code, f"case:{case.pk}", headers=HTMX, back="/cases/1/")

    assert (answer.status_code, holds(answer, code)) == (200, True)
    assert f'id="code-{code.pk.hex}"' in answer.content.decode()
    assert 'href="/cases/1/"' in answer.content.decode()
    row = Reveal.objects.get()
    assert (row.number, row.person, row.code, row.outcome) == (1, support, code, "shown")
    assert (row.ground, row.ground_label, row.why, row.words) == (f"case:{case.pk}", str(case), "fault", WHY)
    assert (row.how, row.address) == ("shown", "127.0.0.1")
    assert events() == ["granted", "shown"]


@pytest.mark.requirement("R63", "N15")
def test_support_reveals_nothing_without_a_case_of_their_own(
    support: User, person: Callable[..., User], case: Case
) -> None:
    code = code_of(case)
    other = person("sue_support", "support")
    for who, ground in [(support, by_order(code)), (support, ""), (support, "case:0"), (other, f"case:{case.pk}")]:
        answer = ask(who, code, ground)
        assert answer.status_code == 422
        assert "open case of yours" in answer.content.decode()
        assert nothing_opened(answer, code)
    assert events() == ["refused"] * 4


def test_a_closed_case_is_no_ground(support: User, case: Case) -> None:
    code = code_of(case)
    close_case(by=support, case=case, reason="The customer does not answer")

    answer = ask(support, code, f"case:{case.pk}")

    assert answer.status_code == 422
    assert nothing_opened(answer, code)


def test_a_case_opens_only_its_own_code(support: User, case: Case, make_code: MakeCode) -> None:
    other = make_code(case.order, "TST0-7K3M-ZZ43")

    answer = ask(support, other, f"case:{case.pk}")

    assert answer.status_code == 422
    assert nothing_opened(answer, other)


def test_a_case_of_another_order_is_no_ground(
    support: User, manager: User, account: Any, case: Case, make_order: Callable[..., Order], make_code: MakeCode
) -> None:
    elsewhere = make_code(make_order(account), "TST0-7K3M-ZZ43")
    whole = open_case(by=support, order=case.order)

    for who, ground in [
        (support, f"case:{whole.pk}"),
        (manager, f"case:{case.pk}"),
        (manager, f"order:{case.order_id}"),
    ]:
        assert nothing_opened(ask(who, elsewhere, ground), elsewhere)
    assert Reveal.objects.filter(outcome="refused").count() == 3


@pytest.mark.requirement("R63")
def test_a_manager_reveals_for_an_order_with_a_reason(manager: User, wrong_code: Code) -> None:
    answer = ask(manager, wrong_code, by_order(wrong_code), why="check")

    assert holds(answer, wrong_code)
    assert Reveal.objects.get().ground_label == str(wrong_code.order)


def test_a_manager_takes_anybodys_case(manager: User, case: Case) -> None:
    code = code_of(case)
    assert holds(ask(manager, code, f"case:{case.pk}"), code)


# Reasons


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize(("why", "reason"), [("fault", ""), ("fault", "  short "), ("", WHY), ("other", WHY)])
def test_without_a_reason_the_code_stays_closed(
    manager: User, wrong_code: Code, why: str, reason: str, headers: dict[str, str]
) -> None:
    answer = ask(manager, wrong_code, by_order(wrong_code), why=why, reason=reason, headers=headers)

    assert answer.status_code == 422
    assert "It was not opened" in answer.content.decode()
    assert nothing_opened(answer, wrong_code)


def test_a_reason_may_have_500_characters_and_no_more(manager: User, wrong_code: Code) -> None:
    assert ask(manager, wrong_code, by_order(wrong_code), reason="x" * 501).status_code == 422
    assert ask(manager, wrong_code, by_order(wrong_code), reason="x" * 500).status_code == 200


@pytest.mark.requirement("R62")
def test_a_code_pasted_into_the_reason_is_masked(manager: User, wrong_code: Code) -> None:
    ask(manager, wrong_code, by_order(wrong_code), reason=f"The customer typed {CODE} twice")

    assert Reveal.objects.get().words == "The customer typed ••••-••••-ZZ42 twice"


# Permission


@pytest.mark.requirement("R63", "N15")
@pytest.mark.parametrize("who", ["buyer", "finance", "admin", "auditor", "outsider"])
@pytest.mark.parametrize("action", ["reveal", "copy"])
def test_who_may_not_see_codes_gets_none_and_is_on_record(
    who: str, action: str, wrong_code: Code, request: pytest.FixtureRequest
) -> None:
    person = request.getfixturevalue(who)
    answer = ask(person, wrong_code, by_order(wrong_code), action)

    assert answer.status_code == 403
    assert nothing_opened(answer, wrong_code)
    assert (Reveal.objects.get().person, events()) == (person, ["refused"])


@pytest.mark.requirement("R108")
def test_a_code_of_the_other_environment_stays_closed(manager: User, wrong_code: Code) -> None:
    type(wrong_code.account).objects.update(environment="live")

    answer = ask(manager, wrong_code, by_order(wrong_code))

    assert "other environment" in answer.content.decode()
    assert nothing_opened(answer, wrong_code)


# Still the same person


@pytest.mark.requirement("R63")
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_five_minutes_after_the_sign_in_the_person_is_asked_who_they_are(
    manager: User, wrong_code: Code, headers: dict[str, str]
) -> None:
    client = signed_in(manager)
    with time_machine.travel(timezone.now() + timedelta(minutes=5, seconds=1)):
        form = client.get(url(wrong_code), headers=headers)
        shown = ask(client, wrong_code, by_order(wrong_code), headers=headers)
        copied = ask(client, wrong_code, by_order(wrong_code), "copy", headers=headers)

    step_up = reverse("staff:step_up")
    for answer in (form, shown):
        assert (answer.headers.get("Location") or answer.headers["HX-Redirect"]).startswith(step_up)
        assert nothing_opened(answer, wrong_code)
    assert (copied.status_code, "still you" in copied.json()["sentence"]) == (403, True)
    assert nothing_opened(copied, wrong_code)


@pytest.mark.requirement("R63")
def test_a_role_of_today_reveals_nothing(outsider: User, wrong_code: Code) -> None:
    settles = timezone.now() + timedelta(seconds=30)
    RoleGrant.objects.create(user=outsider, role="manager", settled_at=settles)

    answer = ask(outsider, wrong_code, by_order(wrong_code))

    assert (answer.status_code, "younger than 24 hours" in answer.content.decode()) == (403, True)
    assert nothing_opened(answer, wrong_code)
    assert events() == ["refused"]
    with time_machine.travel(settles):
        assert holds(ask(outsider, wrong_code, by_order(wrong_code)), wrong_code)


def test_support_that_became_a_manager_today_still_needs_a_case(support: User, wrong_code: Code) -> None:
    RoleGrant.objects.create(user=support, role="manager")

    answer = ask(support, wrong_code, by_order(wrong_code))

    assert (answer.status_code, "open case of yours" in answer.content.decode()) == (422, True)
    assert nothing_opened(answer, wrong_code)


# Limits


@pytest.mark.parametrize(
    ("limit", "waits"), [("hour", timedelta(hours=1)), ("day", timedelta(days=1)), ("team", timedelta(days=1))]
)
def test_a_limit_is_counted_in_the_database_and_ends(
    manager: User, second_manager: User, wrong_code: Code, settings: Any, limit: str, waits: timedelta
) -> None:
    settings.REVEAL_LIMITS = {"hour": 50, "day": 50, "team": 50, limit: 2}
    with time_machine.travel("2026-11-20 10:00:00Z", tick=False) as clock:
        for who in (manager, second_manager if limit == "team" else manager):
            assert ask(who, wrong_code, by_order(wrong_code)).status_code == 200
        refused = ask(manager, wrong_code, by_order(wrong_code), "copy")
        assert (refused.status_code, "It was not opened" in refused.json()["sentence"]) == (422, True)
        assert reveals_left(manager).now == 0
        assert (reveals_left(second_manager).now == 0) is (limit == "team")
        assert events()[-1] == "refused"
        clock.shift(waits)
        assert ask(manager, wrong_code, by_order(wrong_code)).status_code == 200
    assert Reveal.objects.aggregate(most=Max("number"))["most"] == 3


def test_the_limits_are_10_an_hour_30_a_day_and_100_for_the_team(settings: Any) -> None:
    assert settings.REVEAL_LIMITS == {"hour": 10, "day": 30, "team": 100}


@on_record
def test_two_at_once_cannot_both_take_the_last_reveal(manager: User, wrong_code: Code, settings: Any) -> None:
    settings.REVEAL_LIMITS = {"hour": 1, "day": 1, "team": 1}
    asking = Ask(by_order(wrong_code), WHY)

    results = at_once(*(lambda: reveal_code(by=manager, code=wrong_code, ask=asking) for _ in range(4)))

    assert sum(isinstance(result, Secret) for result in results) == 1
    assert Reveal.objects.filter(number__isnull=False).count() == 1


# The record


@on_record
@pytest.mark.requirement("R62", "N16")
def test_the_record_is_committed_before_the_code_is_opened(
    manager: User, wrong_code: Code, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    opener = revealing.open_sealed

    def watched(*args: Any, **kwargs: Any) -> Any:
        seen.append((connection.in_atomic_block, events(), Reveal.objects.get().outcome))
        return opener(*args, **kwargs)

    monkeypatch.setattr(revealing, "open_sealed", watched)

    assert holds(ask(manager, wrong_code, by_order(wrong_code)), wrong_code)
    assert seen == [(False, ["granted"], "granted")]


@on_record
@pytest.mark.parametrize("broken", ["orders_reveal", "audit_auditevent"])
@pytest.mark.parametrize("action", ["reveal", "copy"])
def test_while_the_record_cannot_be_written_nothing_is_opened(
    manager: User, wrong_code: Code, monkeypatch: pytest.MonkeyPatch, broken: str, action: str
) -> None:
    def full(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("INSERT") and broken in sql:
            raise DatabaseError("disk full")
        return execute(sql, *rest)

    monkeypatch.setattr(revealing, "open_sealed", lambda *args, **kwargs: pytest.fail("it was opened"))
    client = signed_in(manager)
    with connection.execute_wrapper(full):
        answer = ask(client, wrong_code, by_order(wrong_code), action)

    said = answer.json()["sentence"] if action == "copy" else answer.content.decode()
    assert (answer.status_code, "so the code was not opened" in said) == (503, True)
    assert (holds(answer, wrong_code), Reveal.objects.count(), events()) == (False, 0, [])


@on_record
def test_a_reveal_inside_a_transaction_is_a_mistake_that_opens_nothing(manager: User, wrong_code: Code) -> None:
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        reveal_code(by=manager, code=wrong_code, ask=Ask(by_order(wrong_code), WHY))

    assert (Reveal.objects.count(), events()) == (0, [])


@on_record
@pytest.mark.parametrize("point", ["reveal.granted", "reveal.opened"])
def test_killed_between_the_steps_the_record_is_there_and_the_code_was_not_given(
    manager: User, wrong_code: Code, point: str
) -> None:
    def die() -> str:
        faultpoints.hook = lambda name: os.kill(os.getpid(), signal.SIGKILL) if name == point else None
        return reveal_code(by=manager, code=wrong_code, ask=Ask(by_order(wrong_code), WHY)).expose()

    ended = in_a_child(die)

    assert (ended.killed, ended.result) == (True, None)
    assert (Reveal.objects.get().outcome, events()) == ("granted", ["granted"])


@on_record
def test_a_code_that_is_not_on_record_as_shown_is_not_handed_out(
    manager: User, wrong_code: Code, monkeypatch: pytest.MonkeyPatch
) -> None:
    def second_fails(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE") and "orders_reveal" in sql:
            raise DatabaseError("disk full")
        return execute(sql, *rest)

    with connection.execute_wrapper(second_fails), pytest.raises(Unavailable):
        reveal_code(by=manager, code=wrong_code, ask=Ask(by_order(wrong_code), WHY))

    assert (Reveal.objects.get().outcome, events()) == ("granted", ["granted"])


def test_a_code_whose_seal_was_moved_to_another_row_does_not_open(
    manager: User, wrong_code: Code, make_code: MakeCode
) -> None:
    other = make_code(wrong_code.order, "TST0-7K3M-ZZ43")
    Code.objects.filter(pk=wrong_code.pk).update(sealed=other.sealed)

    answer = ask(manager, wrong_code, by_order(wrong_code))

    assert (answer.status_code, holds(answer, other)) == (503, False)
    assert (Reveal.objects.get().outcome, events()) == ("failed", ["granted", "failed"])


def test_no_reveal_is_ever_deleted(manager: User, wrong_code: Code) -> None:
    ask(manager, wrong_code, by_order(wrong_code))

    with pytest.raises(IntegrityError), transaction.atomic():
        Reveal.objects.all().delete()

    assert Reveal.objects.count() == 1
