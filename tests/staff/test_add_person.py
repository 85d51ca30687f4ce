"""The first people are added from the command line."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from procurement.audit.models import AuditEvent
from procurement.staff.models import User

pytestmark = pytest.mark.django_db
PROMPT = "getpass.getpass"


def test_a_person_gets_the_roles_named_and_the_grant_is_on_record(monkeypatch: Any) -> None:
    monkeypatch.setattr(PROMPT, lambda prompt: "a long enough password")

    call_command(
        "add_person", "nora", "--name=Nora Manager", "--role=manager", "--role=finance", "--email=Nora@Cards.example"
    )

    nora = User.objects.get(username="nora")
    assert nora.role_names == ("manager", "finance")
    assert nora.email == "nora@cards.example"
    assert nora.check_password("a long enough password")
    assert AuditEvent.objects.filter(action="user.role_granted").count() == 2


def test_a_short_password_adds_nobody(monkeypatch: Any) -> None:
    monkeypatch.setattr(PROMPT, lambda prompt: "short")

    with pytest.raises(CommandError, match="Nobody was added"):
        call_command("add_person", "nora", "--name=Nora Admin", "--role=admin")

    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--role=admin", "--role=auditor"], "Administrator and Auditor exclude each other"),
        (["--role=finance", "--email=ADA@cards.example"], "has an account already"),
    ],
)
def test_what_one_person_may_not_be_adds_nobody(monkeypatch: Any, options: list[str], said: str) -> None:
    monkeypatch.setattr(PROMPT, lambda prompt: "a long enough password")
    User.objects.create(username="ada", display_name="Ada", email="ada@cards.example")

    with pytest.raises(CommandError, match=f"{said}.*Nobody was added"):
        call_command("add_person", "nora", "--name=Nora", *options)

    assert not User.objects.filter(username="nora").exists()
