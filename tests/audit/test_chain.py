"""Whoever gets past the database's guards is still found: the first event that does not hold is named."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone

from ledger.guards import append_only_sql, drop_append_only_sql
from procurement.audit.chain import chain_events
from procurement.audit.models import AuditEvent, AuditLink
from procurement.audit.services import record
from procurement.audit.verifying import verify
from procurement.desk.tasks import chain_audit_task
from procurement.staff.models import User
from procurement.vault import keyring

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("R29")]
TABLES = ("audit_auditevent", "audit_auditlink")


@contextmanager
def as_owner() -> Iterator[None]:
    """What the owner of a database can do: lift every guard, foreign keys too, and put them back afterwards."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            connection.check_constraints()
            cursor.execute("SET session_replication_role = replica")
            yield
            cursor.execute("SET session_replication_role = DEFAULT")
            return
        cursor.execute("PRAGMA defer_foreign_keys = ON")
        for table in TABLES:
            for statement in drop_append_only_sql(table, connection.vendor):
                cursor.execute(statement)
        yield
        for table in TABLES:
            for statement in append_only_sql(table, connection.vendor):
                cursor.execute(statement)


def tamper(statement: str, *values: Any) -> None:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(statement, values)


@pytest.fixture
def story(buyer: User) -> list[AuditEvent]:
    """Five events, linked."""
    events = [record("user.role_granted", by=buyer, subject=buyer, person=name, role="Auditor") for name in "abcde"]
    chain_events()
    return events


def findings() -> list[str]:
    return verify().findings


def test_a_story_holds_and_every_event_is_linked_once(story: list[AuditEvent], buyer: User) -> None:
    first = chain_events()
    assert first == chain_events()
    record("user.signed_in", by=buyer, subject=buyer)
    chain_events()

    assert list(AuditLink.objects.values_list("seq", flat=True)) == [1, 2, 3, 4, 5, 6]
    assert (verify().links, findings()) == (6, [])


def test_an_edit_is_named(story: list[AuditEvent]) -> None:
    for column, value in (("reason", "because"), ("actor_name", "Somebody"), ("facts", '{"person": "z"}')):
        before = getattr(story[2], column)
        tamper(f"UPDATE audit_auditevent SET {column} = %s WHERE id = %s", value, story[2].pk)
        assert findings()[0].startswith(f"Link 3: event {story[2].pk} (user.role_granted, ")
        assert "was changed" in findings()[0]
        tamper(
            f"UPDATE audit_auditevent SET {column} = %s WHERE id = %s",
            before if column != "facts" else '{"person": "c", "role": "Auditor"}',
            story[2].pk,
        )
        assert findings() == []


def test_a_deletion_is_named_with_and_without_its_link(story: list[AuditEvent]) -> None:
    tamper("DELETE FROM audit_auditevent WHERE id = %s", story[1].pk)
    assert findings()[0] == f"Link 2: event {story[1].pk} was removed."

    tamper("DELETE FROM audit_auditlink WHERE event_id = %s", story[1].pk)
    assert findings()[0] == "Link 2 is missing: events were removed."

    tamper("UPDATE audit_auditlink SET seq = seq - 1 WHERE seq > 2")
    assert "does not follow the one before it" in findings()[0]


def test_a_reorder_is_named(story: list[AuditEvent]) -> None:
    tamper("UPDATE audit_auditlink SET event_id = -event_id")
    for mine, other in ((1, 2), (2, 1)):
        tamper("UPDATE audit_auditlink SET event_id = %s WHERE event_id = %s", story[mine].pk, -story[other].pk)
    tamper("UPDATE audit_auditlink SET event_id = -event_id WHERE event_id < 0")

    assert findings()[0].startswith(f"Link 2: event {story[2].pk}")
    assert "does not follow" in findings()[0]


def test_a_cut_end_shows_against_a_head_kept_elsewhere(story: list[AuditEvent]) -> None:
    kept = {5: bytes(AuditLink.objects.get(seq=5).mac).hex()}
    assert verify(published=kept).findings == []
    tamper("DELETE FROM audit_auditlink WHERE seq = 5")
    tamper("DELETE FROM audit_auditevent WHERE id = %s", story[4].pk)

    assert findings() == []
    assert verify(published=kept).findings == [
        "Head 5 was published and is not here: the end of the record was cut off, or the database is an older one."
    ]


def test_a_forged_event_is_never_linked(story: list[AuditEvent], caplog: pytest.LogCaptureFixture) -> None:
    """Neither a copy of a true one under another number, nor one made up."""
    columns = (
        "at, action, actor_id, actor_name, subject_kind, subject_id, subject_label, source, reason, facts, request_id"
    )
    uid = (
        "'7d444840-9dc0-11d1-b245-5ffdce74fad2'"
        if connection.vendor == "postgresql"
        else "'7d4448409dc011d1b2455ffdce74fad2'"
    )
    tamper(
        f"INSERT INTO audit_auditevent (uid, mac, {columns}) SELECT {uid}, mac, {columns} FROM audit_auditevent WHERE id = %s",
        story[0].pk,
    )
    forged = AuditEvent.objects.latest("pk")

    head = chain_events()

    assert head is not None
    assert head.seq == 5
    assert f"Audit event {forged.pk} was changed, or not written by Countersign; it is not linked." in caplog.text
    assert findings() == [f"Event {forged.pk} was not written by Countersign, or was changed before it was linked."]


def test_an_event_that_is_never_linked_shows_after_a_quarter_of_an_hour(buyer: User) -> None:
    event = record("user.signed_in", by=buyer, subject=buyer)
    assert findings() == []
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        assert findings()[0].startswith(f"Event {event.pk} has waited since ")


def test_without_the_key_nothing_can_be_made_to_fit(story: list[AuditEvent], settings: Any) -> None:
    """Another installation's key makes links that this one does not take."""
    settings.MASTER_KEY = "YW5vdGhlci1tYXN0ZXIta2V5LW9mLTMyLWJ5dGVzISE="
    keyring.forget()
    with pytest.raises(keyring.KeyUnavailable):
        verify()


@pytest.mark.parametrize("statement", ["UPDATE audit_auditlink SET seq = 9", "DELETE FROM audit_auditlink"])
def test_the_database_refuses_to_change_a_link(story: list[AuditEvent], statement: str) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert AuditLink.objects.count() == 5


def test_the_head_goes_to_the_log_once_and_the_log_proves_the_record(
    story: list[AuditEvent], buyer: User, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    record("user.signed_in", by=buyer, subject=buyer)
    with caplog.at_level(logging.INFO, "procurement.desk.tasks"):
        chain_audit_task()
        chain_audit_task()
    mac = bytes(AuditLink.objects.get(seq=6).mac).hex()
    assert [line.getMessage() for line in caplog.records] == [f"audit head 6: {mac}"]
    log, out = tmp_path / "log", StringIO()
    log.write_text(f"2026-11-21 12:00:00 INFO {caplog.records[0].getMessage()}\n")

    call_command("verify_audit", "--published", str(log), stdout=out)

    assert f"Read 6 events, compared 1 published heads.\nEverything holds. Last: audit head 6: {mac}." in out.getvalue()


def test_the_command_fails_and_names_what_does_not_hold(story: list[AuditEvent], tmp_path: Path) -> None:
    tamper("UPDATE audit_auditevent SET reason = 'x' WHERE id = %s", story[0].pk)
    out = StringIO()
    with pytest.raises(CommandError, match="1 findings"):
        call_command("verify_audit", stdout=out)
    assert f"Link 1: event {story[0].pk}" in out.getvalue()
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("verify_audit", "--published", str(tmp_path / "none"))


def test_the_page_says_how_far_the_chain_reaches(story: list[AuditEvent], client: Client, auditor: User) -> None:
    client.force_login(auditor)
    assert "5 events chained, the last " in client.get("/audit/").content.decode()
