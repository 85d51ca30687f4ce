"""What a reveal answers: one code, in this one answer, kept by nobody and nowhere."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from procurement.claims.models import Case
from procurement.orders.models import Code, Reveal
from procurement.staff.models import User
from procurement.web.once import new_token
from tests.claims.conftest import account, by_hand, case, code_of, make_code, make_order, wrong_code
from tests.orders.revealing import HTMX, ask, by_order, holds, plain, signed_in, url

__all__ = ["account", "by_hand", "case", "make_code", "make_order", "wrong_code"]
pytestmark = pytest.mark.django_db
on_record = pytest.mark.django_db(transaction=True)
MakeCode = Callable[..., Code]


@pytest.mark.requirement("R62")
@pytest.mark.parametrize("action", ["reveal", "copy"])
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_nothing_keeps_the_answer(manager: User, wrong_code: Code, action: str, headers: dict[str, str]) -> None:
    answer = ask(manager, wrong_code, by_order(wrong_code), action, headers=headers)

    assert holds(answer, wrong_code)
    assert {"no-store", "private"} <= {part.strip() for part in answer["Cache-Control"].split(",")}
    assert (answer["Pragma"], answer["Cross-Origin-Resource-Policy"]) == ("no-cache", "same-origin")
    assert not answer.has_header("ETag")
    assert not answer.has_header("Content-Encoding")
    assert plain(wrong_code) not in str(answer.headers)


def test_without_a_script_the_code_has_a_page_that_leaves_by_itself(manager: User, wrong_code: Code) -> None:
    answer = ask(manager, wrong_code, by_order(wrong_code))

    assert "<h1>" in answer.content.decode()
    assert answer["Refresh"] == f"30; url={reverse('orders:order_detail', args=[wrong_code.order_id])}"


def test_the_same_form_shows_the_code_once(manager: User, wrong_code: Code) -> None:
    client, token = signed_in(manager), new_token()
    assert holds(ask(client, wrong_code, by_order(wrong_code), once=token), wrong_code)

    again = ask(client, wrong_code, by_order(wrong_code), once=token)

    assert (again.status_code, holds(again, wrong_code)) == (409, False)
    assert "not shown again" in again.content.decode()
    assert Reveal.objects.count() == 1


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_asking_for_a_reason_shows_nothing(manager: User, wrong_code: Code, headers: dict[str, str]) -> None:
    answer = signed_in(manager).get(url(wrong_code), headers=headers)

    assert 'name="reason"' in answer.content.decode()
    assert "(optional)" not in answer.content.decode()
    assert (holds(answer, wrong_code), Reveal.objects.count()) == (False, 0)


def test_who_has_no_case_for_the_code_is_led_to_open_one(support: User, wrong_code: Code) -> None:
    text = signed_in(support).get(url(wrong_code)).content.decode()

    assert 'name="reason"' not in text
    assert f"{reverse('claims:case_new')}?code={wrong_code.pk}" in text


def test_a_copy_by_address_alone_is_refused(manager: User, wrong_code: Code) -> None:
    assert signed_in(manager).get(url(wrong_code, "copy")).status_code == 405
    assert Reveal.objects.count() == 0


def test_copying_answers_with_the_code_as_data_and_is_recorded_as_such(manager: User, wrong_code: Code) -> None:
    answer = ask(manager, wrong_code, by_order(wrong_code), "copy")

    assert answer.json() == {"code": plain(wrong_code)}
    assert Reveal.objects.get().how == "copied"


def test_an_address_elsewhere_is_not_where_hide_leads(manager: User, wrong_code: Code) -> None:
    for headers in ({}, HTMX):
        answer = ask(manager, wrong_code, by_order(wrong_code), back="https://evil.test/", headers=headers)
        assert "evil.test" not in answer.content.decode() + str(answer.headers)


def test_signed_out_a_reveal_leads_to_the_sign_in_and_is_not_kept_for_later(wrong_code: Code) -> None:
    client = Client()
    answer = ask(client, wrong_code, by_order(wrong_code))

    assert answer["Location"].startswith(reverse("login"))
    assert (list(client.session.keys()), Reveal.objects.count()) == ([], 0)


@pytest.mark.requirement("R62")
def test_no_page_and_no_log_holds_the_code_afterwards(
    manager: User, case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    code, client = code_of(case), signed_in(manager)
    ask(client, code, f"case:{case.pk}")
    pages = [
        url(code),
        reverse("orders:order_detail", args=[code.order_id]),
        reverse("claims:case_detail", args=[case.pk]),
        reverse("audit:event_list"),
    ]

    assert [page for page in pages if holds(client.get(page), code)] == []
    assert plain(code) not in caplog.text.replace("-", "")
    assert "Seen 1 time" in client.get(pages[2]).content.decode()


def test_a_case_that_is_not_mine_offers_to_take_it_instead(
    support: User, person: Callable[..., User], case: Case
) -> None:
    page = reverse("claims:case_detail", args=[case.pk])

    mine = signed_in(support).get(page).content.decode()
    others = signed_in(person("sue_support", "support")).get(page).content.decode()

    assert ("Copy without showing" in mine, "Copy without showing" in others) == (True, False)
    assert "Take the case to reveal its code" in others
