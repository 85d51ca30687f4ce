"""Who had access before delivery: the answer for a code, for an order and for a claim, without any code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from procurement.claims.models import Case
from procurement.claims.packets import late_request
from procurement.orders.models import Code, Reveal
from procurement.orders.trail import listed, trail_of
from procurement.staff.models import User
from tests.claims.conftest import account, case, code_of, make_code, make_order, wrong_code
from tests.orders.revealing import ask, by_order, holds, signed_in

__all__ = ["account", "case", "make_code", "make_order", "wrong_code"]
pytestmark = [pytest.mark.django_db, pytest.mark.requirement("N16")]
NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def noon() -> Iterator[Any]:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


def handed_over(code: Code) -> None:
    Code.objects.filter(pk=code.pk).update(handed_over_at=NOON, customer_order="10421")


def test_a_code_nobody_saw_says_so(auditor: User, wrong_code: Code) -> None:
    page = signed_in(auditor).get(reverse("orders:code_trail", args=[wrong_code.pk]))

    assert "Nobody had access to this code so far" in page.content.decode()
    assert "Nobody asked for this code" in page.content.decode()


def test_access_before_and_after_the_hand_over_are_told_apart(
    manager: User, second_manager: User, support: User, auditor: User, wrong_code: Code, noon: Any
) -> None:
    noon.move_to(NOON - timedelta(hours=1))
    ask(manager, wrong_code, by_order(wrong_code))
    ask(support, wrong_code, by_order(wrong_code))
    noon.move_to(NOON + timedelta(hours=1))
    ask(second_manager, wrong_code, by_order(wrong_code), "copy")
    handed_over(wrong_code)
    wrong_code.refresh_from_db()

    page = signed_in(auditor).get(reverse("orders:code_trail", args=[wrong_code.pk]))

    trail = trail_of(wrong_code)
    assert ([one.person for one in trail.before], len(trail.seen), len(trail.asked)) == ([manager], 2, 3)
    text = page.content.decode()
    assert "Mia Manager had access to this code before it was handed over" in text
    for words in ("Access before hand-over", "Access after hand-over", "Refused", "copied"):
        assert words in text
    assert not holds(page, wrong_code)


def test_a_code_that_could_not_be_opened_gave_no_access(manager: User, wrong_code: Code, make_code: Any) -> None:
    other = make_code(wrong_code.order, "TST0-7K3M-ZZ43")
    Code.objects.filter(pk=wrong_code.pk).update(sealed=other.sealed)
    ask(manager, wrong_code, by_order(wrong_code))

    assert (trail_of(wrong_code).before, Reveal.objects.get().outcome) == ([], "failed")


def test_an_order_names_who_saw_which_code(
    manager: User, finance: User, wrong_code: Code, make_code: Callable[..., Code]
) -> None:
    ask(manager, wrong_code, by_order(wrong_code))
    client, page = signed_in(finance), reverse("orders:order_trail", args=[wrong_code.order_id])
    make_code(wrong_code.order, "TST0-7K3M-AA00")
    with CaptureQueriesContext(connection) as few:
        client.get(page)
    for number in range(1, 6):
        make_code(wrong_code.order, f"TST0-7K3M-AA0{number}")

    with CaptureQueriesContext(connection) as many:
        answer = client.get(page)

    assert len(many) == len(few)
    text = answer.content.decode()
    assert (text.count("Mia Manager"), text.count("<td>nobody</td>")) == (1, 6)
    assert not holds(answer, wrong_code)


def test_a_case_holds_the_trail_as_evidence_and_the_supplier_gets_no_names(
    manager: User, support: User, case: Case
) -> None:
    code = code_of(case)
    page = reverse("claims:case_detail", args=[case.pk])
    assert "Nobody had access to this code so far" in signed_in(support).get(page).content.decode()
    assert "before delivery: none; the code was sealed as it came" in late_request(case)

    ask(manager, code, f"case:{case.pk}")

    answer = signed_in(support).get(page)
    assert "Mia Manager had access to this code so far" in answer.content.decode()
    assert reverse("orders:code_trail", args=[code.pk]) in answer.content.decode()
    assert not holds(answer, code)
    told = late_request(case)
    assert "before delivery: 1 time, each on record" in told
    assert "Mia" not in told


@pytest.mark.parametrize(
    ("names", "words"),
    [([], ""), (["Ana"], "Ana"), (["Ana", "Ana", "Ben"], "Ana and Ben"), (["Ana", "Ben", "Sam"], "Ana, Ben and Sam")],
)
def test_names_are_listed_once_each(names: list[str], words: str) -> None:
    assert listed(names) == words
