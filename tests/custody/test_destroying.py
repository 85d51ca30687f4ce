"""Attacks on the two administrators who destroy a key, past every service; every one ends with the key as it was."""

from __future__ import annotations

import pytest
from django.utils import timezone

from procurement.custody.models import Destruction
from procurement.staff.models import RoleGrant, User
from procurement.vault import Context, Purpose, Secret, seal
from procurement.vault.models import CryptoKey
from tests.conftest import make_newcomer, make_person
from tests.orders.attacking import refused_by_the_database, sql

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("R101")]
CONFIRM = "UPDATE custody_destruction SET state = 'confirmed', decided_by_id = %s, decided_at = %s"


@pytest.fixture
def row(admin: User) -> Destruction:
    seal(Secret("x" * 8), purpose=Purpose.CODE, context=Context("t", "c", "1"))
    key = CryptoKey.objects.get(purpose="code")
    return Destruction.objects.create(key=key, values=1, reason="The customers asked", proposed_by=admin)


def assert_nothing_happened(row: Destruction) -> None:
    now = Destruction.objects.get()
    assert (now.state, now.proposed_by, now.decided_by, now.values) == ("proposed", row.proposed_by, None, 1)
    assert (CryptoKey.objects.get().status, len(CryptoKey.objects.get().wrapped_dek) > 0) == ("active", True)


@pytest.mark.parametrize("who", ["newcomer", "former", "manager", "nobody"])
def test_only_a_settled_administrator_confirms(row: Destruction, who: str) -> None:
    person = make_newcomer("new", "admin") if who == "newcomer" else make_person("old", "admin")
    if who == "former":
        RoleGrant.objects.filter(user=person).update(revoked_at=timezone.now())
    if who == "manager":
        person = make_person("max_manager", "manager")

    refused_by_the_database(
        lambda: sql(CONFIRM, None if who == "nobody" else person.pk, timezone.now()),
        "only a settled administrator confirms",
    )
    assert_nothing_happened(row)

    sql(CONFIRM, make_person("udo_admin", "admin").pk, timezone.now())
    assert Destruction.objects.get().state == "confirmed"


def test_what_was_proposed_is_neither_born_confirmed_nor_rewritten_nor_removed(row: Destruction, admin: User) -> None:
    other = make_person("udo_admin", "admin")
    facts = {"key": row.key, "values": 1, "reason": "The customers asked", "proposed_by": admin}

    refused_by_the_database(
        lambda: Destruction.objects.bulk_create(
            [Destruction(**facts, state="confirmed", decided_by=other, decided_at=timezone.now())]
        ),
        "proposed before it is confirmed",
    )
    for change in ("proposed_by_id = %s", '"values" = "values" + %s'):
        refused_by_the_database(
            lambda change=change: sql(f"UPDATE custody_destruction SET {change}", other.pk),  # type: ignore[misc]
            "what was proposed never changes",
        )
    refused_by_the_database(lambda: Destruction.objects.all().delete(), "stays on record")

    assert_nothing_happened(row)


def test_a_decision_is_final(row: Destruction) -> None:
    other = make_person("udo_admin", "admin")
    sql(
        "UPDATE custody_destruction SET state = 'declined', decided_by_id = %s, decided_at = %s",
        other.pk,
        timezone.now(),
    )

    for attack in (CONFIRM, CONFIRM.replace("confirmed", "proposed")):
        refused_by_the_database(
            lambda attack=attack: sql(attack, other.pk, timezone.now()),  # type: ignore[misc]
            "a decision is final",
        )

    assert Destruction.objects.get().state == "declined"
    assert CryptoKey.objects.get().status == "active"
