"""A new password for the old one: long, not a common one, and nothing else."""

from __future__ import annotations

import pytest

from procurement.audit.models import AuditEvent
from procurement.staff.models import User
from procurement.staff.tries import PROOF
from tests.at_desk import Desk, Page
from tests.staff.apps_of_people import PASSWORD, with_password

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


@pytest.mark.requirement("R63")
def test_the_old_password_is_asked_for_and_cannot_be_guessed_at(desk: Desk, support: User) -> None:
    for _ in range(PROOF.free):
        assert "This is not your password" in change(desk, old="a guess", status=422).text

    assert "This one was not looked at" in change(desk, status=422).text

    assert password_of(support) == PASSWORD
