"""A new password for the old one: long, not a common one, and nothing else."""

from __future__ import annotations

import pytest
from django.contrib.auth.hashers import ScryptPasswordHasher
from django.core.management import CommandError, call_command
from django.test import Client

from procurement.audit.models import AuditEvent
from procurement.staff.models import User
from procurement.staff.tries import PROOF
from tests.at_desk import Desk, Page
from tests.staff.apps_of_people import PASSWORD, with_password, with_phone

pytestmark = pytest.mark.django_db
NEW = "four words in a row"


@pytest.fixture
def desk(support: User) -> Desk:
    return Desk(with_password(support))


def change(desk: Desk, new: str = NEW, *, old: str = PASSWORD, again: str = "", status: int = 303) -> Page:
    form = desk.open("staff:password").form()
    return desk.send(form, status=status, old_password=old, new_password1=new, new_password2=again or new)


def password_of(user: User) -> str:
    """Which of the two it is."""
    user.refresh_from_db()
    return next(word for word in (PASSWORD, NEW) if user.check_password(word))


def test_a_new_password_takes_the_place_of_the_old_one_and_ends_other_sign_ins(desk: Desk, support: User) -> None:
    other = Desk(support)
    key = desk.client.session.session_key

    done = change(desk)

    assert "Your password is changed. 1 other sign-in ended" in done.text
    assert password_of(support) == NEW
    assert desk.client.session.session_key != key
    assert other.client.get("/settings/").status_code == 302
    assert AuditEvent.objects.get(action="user.password_changed").actor == support


@pytest.mark.parametrize(
    ("new", "again", "why"),
    [
        ("eleven char", "", "at least 12 characters"),
        ("passwordpassword", "", "first that anybody would try"),
        ("Dragon dragon dragon", "", "first that anybody would try"),
        ("Password2026!", "", "first that anybody would try"),
        ("Countersign-2026", "", "first that anybody would try"),
        ("Sam Support 1", "", "first that anybody would try"),
        (NEW, "four words in a raw", "didn’t match"),
    ],
)
def test_a_password_is_long_uncommon_and_typed_twice(desk: Desk, support: User, new: str, again: str, why: str) -> None:
    assert why in change(desk, new, again=again, status=422).text

    assert password_of(support) == PASSWORD
    assert not AuditEvent.objects.filter(action="user.password_changed").exists()


@pytest.mark.parametrize("new", ["alllowercaseletters", "123 456 789 000 1", "ein ganz langes Wörterband"])
def test_nothing_is_asked_of_its_characters(desk: Desk, support: User, new: str) -> None:
    change(desk, new)

    support.refresh_from_db()
    assert support.check_password(new)


@pytest.mark.parametrize("new", ["  Blanks before, and CAPITALS  ", "a word, and another, and " * 8])
def test_it_is_taken_exactly_as_typed_however_long(desk: Desk, support: User, new: str) -> None:
    change(desk, new)

    support.refresh_from_db()
    assert not any(support.check_password(near) for near in {new.strip(), new.upper(), new[:72]} - {new})
    signed_in = Client().post("/sign-in/", {"username": support.username, "password": new})
    assert (signed_in.status_code, signed_in["Location"]) == (302, "/")


def test_a_password_is_kept_by_a_slow_hash_and_an_older_one_is_kept_anew_at_the_sign_in(support: User) -> None:
    before = ScryptPasswordHasher().encode(PASSWORD, "a-salt-with-22-letters")
    User.objects.filter(pk=support.pk).update(password=before)

    answer = Client().post("/sign-in/", {"username": support.username, "password": PASSWORD})

    support.refresh_from_db()
    name, cost, _salt, block, lanes, _hash = support.password.split("$")
    assert (answer.status_code, name, int(cost), int(block), int(lanes)) == (302, "scrypt", 2**15, 8, 3)
    assert support.check_password(PASSWORD)


@pytest.mark.requirement("R63")
def test_the_old_password_is_asked_for_and_cannot_be_guessed_at(desk: Desk, support: User) -> None:
    for _ in range(PROOF.free):
        assert "This is not your password" in change(desk, old="a guess", status=422).text

    assert "This one was not looked at" in change(desk, status=422).text

    assert password_of(support) == PASSWORD


def new_password(monkeypatch: pytest.MonkeyPatch, user: User, password: str) -> None:
    monkeypatch.setattr("getpass.getpass", lambda prompt: password)
    call_command("new_password", user.username, "--reason=Seen in person")


def test_a_forgotten_password_is_replaced_and_the_second_factor_stays(
    support: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_phone(with_password(support))
    there = Desk(support)

    new_password(monkeypatch, support, NEW)

    assert password_of(support) == NEW
    assert there.client.get("/settings/").status_code == 302
    half = Client().post("/sign-in/", {"username": support.username, "password": NEW})
    assert half["Location"].startswith("/sign-in/code/")
    event = AuditEvent.objects.get(action="user.password_set")
    assert (event.actor, event.reason) == (None, "Seen in person")


def test_a_weak_password_or_nobody_s_changes_nothing(support: User, monkeypatch: pytest.MonkeyPatch) -> None:
    with_password(support)

    with pytest.raises(CommandError, match="Nothing was changed"):
        new_password(monkeypatch, support, "sam_support")
    with pytest.raises(CommandError, match="Nothing was changed"):
        new_password(monkeypatch, User(username="nobody"), NEW)

    assert password_of(support) == PASSWORD
    assert not AuditEvent.objects.filter(action="user.password_set").exists()
