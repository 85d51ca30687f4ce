"""Roles that exclude each other, and roles too young to approve or to reveal; the database holds both."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import combinations

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from procurement.errors import NotAllowed
from procurement.staff.access import check_can, check_settled, people_with
from procurement.staff.models import RoleGrant, User
from procurement.staff.permissions import Permission
from procurement.staff.roles import ROLES, clashes
from tests.conftest import make_person

pytestmark = pytest.mark.django_db
TOGETHER = {
    frozenset(pair)
    for pair in (("support", "buyer"), ("support", "manager"), ("buyer", "finance"), ("manager", "finance"))
}


def by_shell(person: User, role: str) -> None:
    RoleGrant.objects.create(user=person, role=role)


def by_bulk(person: User, role: str) -> None:
    RoleGrant.objects.bulk_create([RoleGrant(user=person, role=role)])


def by_sql(person: User, role: str) -> None:
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO staff_rolegrant (user_id, role, granted_at, settled_at) VALUES (%s, %s, %s, %s)",
            [person.pk, role, now, now],
        )


@pytest.mark.parametrize("give", [by_shell, by_bulk, by_sql])
@pytest.mark.parametrize("pair", [*combinations(ROLES, 2)], ids="-".join)
def test_the_database_refuses_two_roles_that_exclude_each_other(
    pair: tuple[str, str], give: Callable[[User, str], None]
) -> None:
    person = make_person("pat", pair[0])
    allowed = frozenset(pair) in TOGETHER
    assert (clashes(pair) == "") is allowed

    if allowed:
        give(person, pair[1])
    else:
        with pytest.raises(IntegrityError), transaction.atomic():
            give(person, pair[1])

    assert set(RoleGrant.objects.values_list("role", flat=True)) == set(pair if allowed else pair[:1])


def test_a_role_taken_away_makes_room_for_the_other(buyer: User) -> None:
    RoleGrant.objects.filter(user=buyer).update(revoked_at=timezone.now())

    RoleGrant.objects.create(user=buyer, role="manager")

    assert User.objects.get(pk=buyer.pk).role_names == ("manager",)
    assert people_with(Permission.ORDER_CREATE) == [buyer]
    assert people_with(Permission.SKU_IMPORT) == [buyer]


def test_what_was_taken_away_is_held_no_more(manager: User) -> None:
    RoleGrant.objects.update(revoked_at=timezone.now())
    manager = User.objects.get(pk=manager.pk)

    assert (manager.role_names, people_with(Permission.ORDER_APPROVE)) == ((), [])
    with pytest.raises(NotAllowed, match="Nothing was changed"):
        check_can(manager, Permission.ORDER_APPROVE)


def test_a_role_settles_after_a_day_and_the_sentence_says_when() -> None:
    person = User.objects.create(username="new", display_name="New")
    with time_machine.travel("2026-11-20 14:05:00Z", tick=False):
        RoleGrant.objects.create(user=person, role="manager")
    with (
        time_machine.travel("2026-11-21 14:04:59Z", tick=False),
        pytest.raises(NotAllowed, match=r"younger than 24 hours.*from 21 Nov 14:05 UTC on\. Nothing was changed\."),
    ):
        check_settled(person, Permission.ORDER_APPROVE)

    with time_machine.travel("2026-11-21 14:05:00Z", tick=False):
        check_settled(User.objects.get(pk=person.pk), Permission.ORDER_APPROVE)


def test_a_role_given_anew_settles_anew(manager: User) -> None:
    RoleGrant.objects.update(revoked_at=timezone.now())
    RoleGrant.objects.create(user=manager, role="manager")

    with pytest.raises(NotAllowed, match="younger than 24 hours"):
        check_settled(User.objects.get(pk=manager.pk), Permission.ORDER_APPROVE)
    with time_machine.travel(timezone.now() + timedelta(hours=24, seconds=1)):
        check_settled(User.objects.get(pk=manager.pk), Permission.ORDER_APPROVE)


def test_two_accounts_never_have_one_address() -> None:
    User.objects.create(username="ben", display_name="Ben", email="ben@cards.example")

    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(username="ben2", display_name="Ben again", email="BEN@cards.example")

    assert User.objects.count() == 1


def test_nobody_gives_a_role_to_themselves(admin: User) -> None:
    RoleGrant.objects.update(revoked_at=timezone.now())

    with pytest.raises(IntegrityError), transaction.atomic():
        RoleGrant.objects.create(user=admin, role="manager", granted_by=admin)

    assert User.objects.get(pk=admin.pk).role_names == ()
