"""Sign-ins end: after half an hour without work, after ten hours, by hand, and with every change of what they rest on."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.staff import factor, sessions
from procurement.staff.models import RoleGrant, Session, User
from procurement.staff.session_store import SessionStore, row_key
from tests.at_desk import Desk
from tests.staff.apps_of_people import PASSWORD, Phone, seed_in, with_password, with_phone

pytestmark = pytest.mark.django_db
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
MINUTE = timedelta(minutes=1)


def is_in(desk: Desk) -> bool:
    return bool(desk.client.get(reverse("staff:settings")).status_code == 200)


def test_half_an_hour_without_work_ends_a_sign_in(support: User) -> None:
    desk = Desk(support)
    began = timezone.now()

    with time_machine.travel(began, tick=False) as clock:
        for minutes in (29, 58, 87):
            clock.move_to(began + minutes * MINUTE)
            assert is_in(desk)
        clock.move_to(began + 118 * MINUTE)
        assert not is_in(desk)


def test_ten_hours_end_it_whatever_happens(support: User) -> None:
    began = timezone.now()

    with time_machine.travel(began, tick=False) as clock:
        desk = Desk(support)
        for minutes in range(20, 600, 20):
            clock.move_to(began + minutes * MINUTE)
            assert is_in(desk)
        clock.move_to(began + 600 * MINUTE)
        assert not is_in(desk)


def test_proving_again_who_one_is_does_not_move_the_end_of_the_ten_hours(support: User) -> None:
    began = timezone.now()

    with time_machine.travel(began, tick=False) as clock:
        desk = Desk(with_password(support))
        for minutes in range(20, 600, 20):
            clock.move_to(began + minutes * MINUTE)
            desk.send(desk.open("staff:step_up").form("confirm"), proof=PASSWORD)
        clock.move_to(began + 600 * MINUTE)
        assert not is_in(desk)


def test_what_a_page_asks_by_itself_is_no_work(support: User) -> None:
    desk = Desk(support)
    began = timezone.now()

    with time_machine.travel(began, tick=False) as clock:
        for minutes in (10, 20, 29):
            clock.move_to(began + minutes * MINUTE)
            desk.client.get(reverse("staff:settings"), headers={"X-Poll": "1", "HX-Request": "true"})
        clock.move_to(began + 31 * MINUTE)
        assert not is_in(desk)


def test_a_session_is_written_once_a_minute_at_most(support: User) -> None:
    desk = Desk(support)
    began = timezone.now()

    def writes() -> int:
        with CaptureQueriesContext(connection) as asked:
            is_in(desk)
        return sum("UPDATE" in query["sql"] for query in asked.captured_queries)

    with time_machine.travel(began, tick=False) as clock:
        clock.move_to(began + timedelta(seconds=59))
        assert writes() == 0
        clock.move_to(began + timedelta(seconds=60))
        assert [writes(), writes()] == [1, 0]


@pytest.mark.requirement("R63")
def test_a_new_password_ends_every_sign_in(support: User) -> None:
    desk = Desk(support)

    with_password(User.objects.get(pk=support.pk))

    assert not is_in(desk)


@pytest.mark.requirement("R63")
def test_a_role_given_or_taken_by_any_path_ends_every_sign_in(support: User) -> None:
    desk = Desk(support)
    grant = RoleGrant.objects.create(user=support, role="buyer")
    assert not is_in(desk)

    desk = Desk(User.objects.get(pk=support.pk))
    RoleGrant.objects.filter(pk=grant.pk).update(revoked_at=timezone.now())
    assert not is_in(desk)


def test_a_factor_set_up_ends_the_other_sign_ins(support: User) -> None:
    here, there = Desk(support), Desk(support)
    shown = here.send(here.open("staff:factor").form("begin"))

    here.send(shown.form(), status=200, proof=Phone(seed_in(shown.text), []).code())

    assert is_in(here)
    assert not is_in(there)


def test_a_factor_removed_ends_every_sign_in(support: User) -> None:
    with_phone(support)
    desk = Desk(support)

    factor.remove(support, reason="Phone lost")

    assert not is_in(desk)


def test_somebody_inactive_is_out_at_once(support: User) -> None:
    desk = Desk(support)
    User.objects.filter(pk=support.pk).update(is_active=False)

    assert not is_in(desk)


def test_the_table_of_sessions_opens_none(support: User) -> None:
    desk = Desk(support)
    key = str(desk.client.session.session_key)
    row = Session.objects.get()

    assert key not in str(Session.objects.values())
    thief = Client()
    thief.cookies["sessionid"] = row.pk
    assert thief.get(reverse("staff:settings")).status_code == 302
    assert row.pk == row_key(key)


# The page of one's own sign-ins


def elsewhere(user: User) -> Desk:
    """A sign-in of the same person in Firefox, from another address."""
    desk = Desk(user)
    desk.client.logout()
    desk.client = Client(headers={"user-agent": FIREFOX}, REMOTE_ADDR="203.0.113.9")
    desk.client.post(reverse("login"), {"username": user.username, "password": PASSWORD})
    return desk


def test_people_see_where_they_are_signed_in_and_end_what_is_not_theirs(support: User) -> None:
    there, here = elsewhere(with_password(support)), Desk(support)
    Desk(User.objects.create(username="another", display_name="Another"))
    page = here.open("staff:sessions")
    assert "Firefox on Linux" in page.text
    assert "203.0.113.9" in page.text
    assert len([form for form in page.reader.forms if form.action.endswith("/end/")]) == 2

    foreign = Session.objects.get(address="203.0.113.9")
    after = here.send(page.form(foreign.pk))

    assert "That sign-in has ended" in after.text
    assert "203.0.113.9" not in after.text
    assert not is_in(there)
    assert is_in(here)
    event = AuditEvent.objects.get(action="user.session_ended")
    assert (event.actor, event.facts["browser"]) == (support, "Firefox on Linux")


def test_all_but_this_one_are_ended(support: User) -> None:
    there, here = elsewhere(with_password(support)), Desk(support)
    after = here.send(here.open("staff:sessions").form("end-others"))

    assert "1 other sign-in ended" in after.text
    assert (is_in(here), is_in(there)) == (True, False)


def test_who_ends_a_sign_in_proved_within_five_minutes_who_they_are(support: User) -> None:
    there, here = elsewhere(with_password(support)), Desk(support)
    foreign = Session.objects.get(address="203.0.113.9")

    with time_machine.travel(timezone.now() + 6 * MINUTE):
        page = here.open("staff:sessions")
        for form in (page.form(foreign.pk), page.form("end-others")):
            asked = here.send(form)
            assert asked.response.wsgi_request.path == reverse("staff:step_up")

    assert is_in(there)


def test_ending_the_one_at_work_is_signing_out(support: User) -> None:
    desk = Desk(support)
    page = desk.open("staff:sessions")

    left = desk.send(page.form(sessions.key_of(page.response.wsgi_request)))

    assert left.response.wsgi_request.path == reverse("login")
    assert not Session.objects.filter(user=support).exists()


def test_nobody_ends_the_sign_in_of_another(support: User, auditor: User) -> None:
    theirs, mine = Desk(support), Desk(auditor)
    key = Session.objects.get(user=support).pk

    assert mine.client.post(reverse("staff:session_end", args=[key])).status_code == 404
    mine.client.post(reverse("staff:sessions_end_others"))

    assert is_in(theirs)


@pytest.mark.requirement("R63")
def test_an_administrator_signs_somebody_out_everywhere(support: User, admin: User, manager: User) -> None:
    theirs, other = [Desk(support), Desk(support)], Desk(manager)
    desk = Desk(admin)

    after = desk.send(desk.open("staff:people").form(f"/{support.pk}/sign-out/"))

    assert "is signed out everywhere (2 sign-ins ended)" in after.text
    assert [is_in(one) for one in (*theirs, other, desk)] == [False, False, True, True]
    assert AuditEvent.objects.get(action="user.sessions_ended").actor == admin
    assert other.client.post(reverse("staff:sign_out_person", args=[admin.pk])).status_code == 403
    assert is_in(desk)
    assert "Sign out everywhere" not in other.open("staff:people").text


def test_expired_sessions_are_removed_and_others_stay(support: User) -> None:
    with time_machine.travel(timezone.now() - timedelta(hours=11)):
        Desk(support)
    Desk(support)

    SessionStore.clear_expired()

    assert Session.objects.count() == 1


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("<script>alert(1)</script>", "A browser"),
    ],
)
def test_a_browser_is_named_in_words_of_ours(agent: str, words: str) -> None:
    assert sessions.browser_words(agent) == words
