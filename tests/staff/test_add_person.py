"""The first people are added from the command line."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from procurement.audit.models import AuditEvent
from procurement.staff.models import User

pytestmark = pytest.mark.django_db
PROMPT = "procurement.staff.management.commands.add_person.getpass.getpass"


def test_a_person_gets_the_roles_named_and_the_grant_is_on_record(monkeypatch: Any) -> None:
    monkeypatch.setattr(PROMPT, lambda prompt: "a long enough password")

    call_command("add_person", "nora", "--name=Nora Admin", "--role=admin", "--role=auditor")

    nora = User.objects.get(username="nora")
    assert nora.role_names == ("admin", "auditor")
    assert nora.check_password("a long enough password")
    assert AuditEvent.objects.filter(action="user.role_granted").count() == 2


def test_a_short_password_adds_nobody(monkeypatch: Any) -> None:
    monkeypatch.setattr(PROMPT, lambda prompt: "short")

    with pytest.raises(CommandError, match="Nobody was added"):
        call_command("add_person", "nora", "--name=Nora Admin", "--role=admin")

    assert not User.objects.exists()
