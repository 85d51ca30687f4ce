"""The record is added to, never changed."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from procurement.audit.models import AuditEvent
from procurement.audit.queries import timeline_for
from procurement.audit.services import record
from procurement.staff.models import User

pytestmark = pytest.mark.django_db


def test_an_event_reads_as_a_sentence_with_its_facts(buyer: User) -> None:
    record("user.role_granted", by=buyer, subject=buyer, person="Nora", role="Auditor")

    assert timeline_for(buyer)[0].sentence == "Ben Buyer gave Nora the role Auditor"


def test_an_event_that_is_not_listed_is_a_mistake_of_the_caller(buyer: User) -> None:
    with pytest.raises(ValueError, match="not listed"):
        record("user.promoted", by=buyer, subject=buyer)

    assert not AuditEvent.objects.exists()


@pytest.mark.requirement("R29")
@pytest.mark.parametrize(
    "statement", ["UPDATE audit_auditevent SET actor_name = 'nobody'", "DELETE FROM audit_auditevent WHERE id > 0"]
)
def test_the_database_refuses_to_change_what_happened(buyer: User, statement: str) -> None:
    record("user.signed_in", by=buyer, subject=buyer)

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert AuditEvent.objects.get().actor_name == "Ben Buyer"


def test_the_page_shows_and_exports_events_and_the_export_is_an_event(client: Client, auditor: User) -> None:
    record("user.signed_in", by=auditor, subject=auditor)
    client.force_login(auditor)

    page = client.get("/audit/")
    assert "signed in" in page.content.decode()
    exported = client.get("/audit/?format=csv")

    assert exported.getvalue().decode().count("user.signed_in") == 1
    assert AuditEvent.objects.filter(action="export.made").count() == 1
