"""One code for one person: on the record before it is opened, limited, and nowhere but in the answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.errors import NotAllowed, Refused, Unavailable
from procurement.orders.models import Code, Order
from procurement.orders.services import revealing
from procurement.orders.services.revealing import PER_HOUR, reveal_code, reveals_left
from procurement.staff.models import User
from tests.orders.conftest import Shop, run_until_settled

pytestmark = pytest.mark.django_db(transaction=True)
Submitted = Callable[..., Order]
WHY = "The customer says that it was used already"


@pytest.fixture
def code(submitted: Submitted) -> Code:
    return run_until_settled(submitted("alpha", 1)).codes.select_related("order__account").get()


def reveals() -> list[str]:
    return list(AuditEvent.objects.filter(action__startswith="code.").order_by("id").values_list("action", flat=True))


@pytest.mark.requirement("R62", "R63")
def test_a_reveal_is_on_record_before_the_code_is_opened(
    code: Code, support: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    opener = revealing.open_sealed

    def watched(*args: Any, **kwargs: Any) -> Any:
        seen.append(reveals())
        return opener(*args, **kwargs)

    monkeypatch.setattr(revealing, "open_sealed", watched)
    secret = reveal_code(by=support, code=code, reason=WHY)

    assert secret.expose().endswith(code.last4)
    assert seen == [["code.reveal_granted"]]
    assert reveals() == ["code.reveal_granted", "code.reveal_shown"]
    event = AuditEvent.objects.get(action="code.reveal_shown")
    assert (event.actor, event.facts["last4"]) == (support, code.last4)
    assert AuditEvent.objects.get(action="code.reveal_granted").reason == WHY


@pytest.mark.requirement("R63")
def test_without_a_record_the_code_stays_closed(code: Code, support: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("disk full")

    monkeypatch.setattr(revealing, "record", fail)
    monkeypatch.setattr(revealing, "open_sealed", lambda *args, **kwargs: pytest.fail("it was opened"))

    with pytest.raises(Unavailable, match="so the code was not opened"):
        reveal_code(by=support, code=code, reason=WHY)


@pytest.mark.parametrize("reason", ["", "why", "  short  ", "x" * 501])
def test_a_reveal_needs_a_reason_that_says_something(code: Code, support: User, reason: str) -> None:
    with pytest.raises(Refused, match="10 to 500 characters"):
        reveal_code(by=support, code=code, reason=reason)

    assert reveals() == []


@pytest.mark.requirement("R63")
@pytest.mark.parametrize("role", ["finance", "admin", "auditor", ""])
def test_who_may_not_see_codes_sees_none(code: Code, person: Callable[..., User], role: str) -> None:
    with pytest.raises(NotAllowed):
        reveal_code(by=person("other", *([role] if role else [])), code=code, reason=WHY)

    assert reveals() == []


@pytest.mark.requirement("R108")
def test_a_code_of_the_other_environment_stays_closed(code: Code, support: User) -> None:
    code.order.account.environment = "live"

    with pytest.raises(Refused, match="other environment"):
        reveal_code(by=support, code=code, reason=WHY)

    assert reveals() == []


def test_the_limit_of_an_hour_ends_and_is_on_record(code: Code, support: User) -> None:
    for _ in range(PER_HOUR):
        reveal_code(by=support, code=code, reason=WHY)
    assert reveals_left(support) == 0

    with pytest.raises(Refused, match="It was not opened"):
        reveal_code(by=support, code=code, reason=WHY)

    assert reveals().count("code.reveal_shown") == PER_HOUR
    assert reveals()[-1] == "code.reveal_refused"
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        assert reveals_left(support) == PER_HOUR


def test_a_code_whose_seal_was_moved_to_another_row_does_not_open(
    shop: Shop, submitted: Submitted, support: User
) -> None:
    first, second = run_until_settled(submitted("alpha", 2)).codes.select_related("order__account").order_by("position")
    first.sealed = second.sealed

    with pytest.raises(Unavailable, match="Tell an administrator"):
        reveal_code(by=support, code=first, reason=WHY)

    assert reveals() == ["code.reveal_granted", "code.reveal_failed"]


def post(user: User, name: str, code: Code, **data: str) -> Any:
    client = Client()
    client.force_login(user)
    return client.post(reverse(name, args=[code.pk]), data)


@pytest.mark.requirement("R62", "R63")
@pytest.mark.parametrize("name", ["orders:code_reveal", "orders:code_copy"])
def test_the_answer_holds_the_code_and_nothing_keeps_it(code: Code, support: User, name: str) -> None:
    answer = post(support, name, code, reason=WHY)

    text = answer.content.decode().replace("-", "")
    assert (answer.status_code, "no-store" in answer["Cache-Control"]) == (200, True)
    assert code.last4 in text
    assert len(reveals()) == 2


@pytest.mark.parametrize("name", ["orders:code_reveal", "orders:code_copy"])
def test_a_refused_reveal_says_why_and_shows_nothing(code: Code, support: User, name: str) -> None:
    answer = post(support, name, code, reason="no")

    assert answer.status_code == 422
    assert "10 to 500 characters" in answer.content.decode()
    assert reveals() == []


@pytest.mark.requirement("R62")
def test_asking_shows_no_code(code: Code, support: User) -> None:
    secret = reveal_code(by=support, code=code, reason=WHY).expose()
    client = Client()
    client.force_login(support)
    pages = [reverse("orders:code_reveal", args=[code.pk]), code_page(code), reverse("audit:event_list")]

    texts = [client.get(page).content.decode().replace("-", "") for page in pages]

    assert [page for page, text in zip(pages, texts, strict=True) if secret in text] == []


def code_page(code: Code) -> str:
    return reverse("orders:order_detail", args=[code.order_id])
