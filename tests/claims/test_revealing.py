"""One code, shown or copied: recorded, not kept, and only for those who may."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from procurement.audit.models import AuditEvent
from procurement.orders.models import Code
from procurement.staff.models import User
from tests.claims.conftest import CODE

BARE = CODE.replace("-", "")
REASON = "Case C-1: the customer reports a fault"
HTMX = {"HX-Request": "true"}


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def url(code: Code, action: str = "reveal") -> str:
    return reverse(f"orders:code_{action}", args=[code.pk])


def shown() -> int:
    return AuditEvent.objects.filter(action="code.reveal_shown").count()


@pytest.mark.requirement("R62", "R63", "N16")
def test_a_reveal_answers_with_the_code_box_that_nobody_keeps(support: User, wrong_code: Code) -> None:
    response = signed_in(support).post(url(wrong_code), {"reason": REASON, "back": "/cases/1/"}, headers=HTMX)
    html = response.content.decode()
    assert response.status_code == 200
    assert f'id="code-{wrong_code.pk.hex}"' in html
    assert 'href="/cases/1/"' in html
    assert "data-secret" in html
    assert {"no-store", "private"} <= {part.strip() for part in response["Cache-Control"].split(",")}
    event = AuditEvent.objects.get(action="code.reveal_shown")
    assert (event.actor, event.facts["last4"], event.facts["how"]) == (support, "ZZ42", "shown")


def test_without_a_script_the_code_has_a_page_of_its_own(support: User, wrong_code: Code) -> None:
    response = signed_in(support).post(url(wrong_code), {"reason": REASON})
    html = response.content.decode()
    assert "<h1>" in html
    assert "no-store" in response["Cache-Control"]
    assert shown() == 1


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_asking_for_a_reason_shows_nothing(support: User, wrong_code: Code, headers: dict[str, str]) -> None:
    response = signed_in(support).get(url(wrong_code), headers=headers)
    assert "reason" in response.content.decode()
    assert BARE not in response.content.decode()
    assert shown() == 0


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize("reason", ["", "too short"])
def test_without_a_reason_the_code_stays_closed(
    support: User, wrong_code: Code, reason: str, headers: dict[str, str]
) -> None:
    response = signed_in(support).post(url(wrong_code), {"reason": reason}, headers=headers)
    assert response.status_code == 422
    assert BARE not in response.content.decode()
    assert shown() == 0


def test_an_address_elsewhere_is_not_where_hide_leads(support: User, wrong_code: Code) -> None:
    response = signed_in(support).post(url(wrong_code), {"reason": REASON, "back": "https://evil.test/"}, headers=HTMX)
    assert "evil.test" not in response.content.decode()


@pytest.mark.requirement("R62")
def test_copying_answers_with_the_code_as_data_and_is_recorded_as_such(support: User, wrong_code: Code) -> None:
    response = signed_in(support).post(url(wrong_code, "copy"), {"reason": REASON})
    assert response.json() == {"code": BARE}
    assert "no-store" in response["Cache-Control"]
    assert AuditEvent.objects.get(action="code.reveal_shown").facts["how"] == "copied"


def test_a_refused_copy_says_why_in_a_sentence(support: User, wrong_code: Code) -> None:
    response = signed_in(support).post(url(wrong_code, "copy"), {"reason": ""})
    assert response.status_code == 422
    assert "It was not opened" in response.json()["sentence"]
    assert shown() == 0


def test_a_copy_by_address_alone_is_refused(support: User, wrong_code: Code) -> None:
    assert signed_in(support).get(url(wrong_code, "copy")).status_code == 405
    assert shown() == 0


@pytest.mark.requirement("N15")
@pytest.mark.parametrize("who", ["finance", "admin", "auditor", "outsider"])
@pytest.mark.parametrize("action", ["reveal", "copy"])
def test_who_may_not_see_codes_gets_none(
    who: str, action: str, wrong_code: Code, request: pytest.FixtureRequest
) -> None:
    response = signed_in(request.getfixturevalue(who)).post(url(wrong_code, action), {"reason": REASON})
    assert response.status_code == 403
    assert BARE not in response.content.decode()
    assert shown() == 0
