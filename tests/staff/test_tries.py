"""Passwords cannot be guessed by the thousand, and nobody can be shut out by a stranger who tries."""

from __future__ import annotations

from datetime import timedelta
from statistics import median
from time import perf_counter
from typing import Any

import pytest
import time_machine
from django.contrib.auth.hashers import make_password
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.staff import tries
from procurement.staff.models import Misses, User
from procurement.staff.tries import ADDRESS, NAME, PROOF, TooManyTries, place_of
from tests.staff.apps_of_people import PASSWORD, with_phone

pytestmark = pytest.mark.django_db
FREE_IN_A_TEST = "django.contrib.auth.hashers.MD5PasswordHasher"


@pytest.fixture
def sam(support: User, settings: Any) -> User:
    """Support, with a password whose hash costs a test no time."""
    settings.PASSWORD_HASHERS = [FREE_IN_A_TEST]
    User.objects.filter(pk=support.pk).update(password=make_password(PASSWORD))
    support.refresh_from_db()
    return support


def attempt(client: Client, name: str, password: str = "wrong", *, address: str = "203.0.113.7") -> Any:
    return client.post(reverse("login"), {"username": name, "password": password}, REMOTE_ADDR=address)


def guess(name: str, times: int, *, address: str = "203.0.113.7") -> list[int]:
    return [attempt(Client(), name, address=address).status_code for _ in range(times)]


@pytest.mark.requirement("R63")
def test_after_five_misses_even_the_right_password_waits(sam: User) -> None:
    assert guess("sam_support", PROOF.free) == [422] * PROOF.free

    late = attempt(Client(), "sam_support", PASSWORD)

    assert late.status_code == 429
    assert "This one was not looked at" in late.content.decode()
    assert AuditEvent.objects.filter(action="user.sign_in_failed").count() == PROOF.free
    with time_machine.travel(timezone.now() + PROOF.first):
        assert attempt(Client(), "sam_support", PASSWORD).status_code == 302


@pytest.mark.requirement("R63")
def test_a_stranger_does_not_make_the_person_wait_in_a_browser_they_use(sam: User) -> None:
    own = Client()
    attempt(own, "sam_support", PASSWORD, address="198.51.100.1")
    own.post(reverse("logout"))
    for last in range(NAME.free):
        guess("sam_support", 1, address=f"203.0.113.{last}")

    assert attempt(Client(), "sam_support", PASSWORD, address="198.51.100.1").status_code == 429
    assert attempt(own, "sam_support", PASSWORD, address="203.0.113.1").status_code == 302


def test_the_mark_of_a_browser_is_worth_nothing_for_another_name(sam: User, manager: User) -> None:
    own = Client()
    attempt(own, "sam_support", PASSWORD)
    own.post(reverse("logout"))

    answers = [attempt(own, "mia_manager").status_code for _ in range(PROOF.free + 1)]

    assert answers[-2:] == [422, 429]
    forged = Client()
    forged.cookies[f"sessionid-known-{manager.pk}"] = own.cookies[f"sessionid-known-{sam.pk}"].value
    assert attempt(forged, "mia_manager").status_code == 429


def test_a_known_browser_guesses_no_faster(sam: User) -> None:
    own = Client()
    attempt(own, "sam_support", PASSWORD)
    own.post(reverse("logout"))

    answers = [attempt(own, "sam_support").status_code for _ in range(PROOF.free + 2)]

    assert answers == [422] * PROOF.free + [429] * 2


def test_one_address_that_tries_many_names_is_slowed(sam: User) -> None:
    for number in range(ADDRESS.free):
        guess(f"somebody{number}", 1)

    assert attempt(Client(), "sam_support", PASSWORD).status_code == 429
    assert attempt(Client(), "sam_support", PASSWORD, address="198.51.100.1").status_code == 302


def test_signing_in_oneself_does_not_excuse_guesses_at_others(sam: User) -> None:
    for number in range(ADDRESS.free - 1):
        guess(f"somebody{number}", 1)
    attempt(Client(), "sam_support", PASSWORD)

    assert guess("another", 2) == [422, 429]


def test_the_misses_of_yesterday_are_forgotten(sam: User) -> None:
    guess("sam_support", PROOF.free)
    guess("sara_support", PROOF.free)

    with time_machine.travel(timezone.now() + timedelta(days=1, seconds=1)):
        assert guess("sam_support", PROOF.free + 1) == [422] * PROOF.free + [429]
        tries.drop_forgotten()

    # Those of today: of this name, of this name in this browser, and of this address.
    assert Misses.objects.count() == 3


def test_guesses_sent_side_by_side_wait_for_one_another(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of two reads four misses before the other counts its own."""
    for _ in range(PROOF.free - 1):
        tries.take("code", 1, pace=PROOF)
    wait_after = tries.Pace.wait_after
    twins: list[str] = []

    def while_the_other_counts(pace: tries.Pace, misses: int) -> timedelta:
        if not twins:
            twins.append("twin")
            tries.take("code", 1, pace=PROOF)
        return wait_after(pace, misses)

    monkeypatch.setattr(tries.Pace, "wait_after", while_the_other_counts)

    with pytest.raises(TooManyTries):
        tries.take("code", 1, pace=PROOF)
    assert Misses.objects.get().count == PROOF.free


@pytest.mark.requirement("R63")
def test_an_unknown_name_and_a_wrong_password_get_the_same_answer(sam: User) -> None:
    known, unknown = attempt(Client(), "sam_support"), attempt(Client(), "Hunter2-typed-as-a-name")

    def shown(page: Any) -> str:
        text: str = page.content.decode()
        for typed in ("sam_support", "Hunter2-typed-as-a-name"):
            text = text.replace(typed, "NAME")
        return text.replace(page.wsgi_request.META.get("CSRF_COOKIE", "-"), "")

    assert known.status_code == unknown.status_code == 422
    assert "Name or password are wrong" in shown(known)
    assert len(shown(known)) == len(shown(unknown))
    assert len(known.cookies) == len(unknown.cookies)


@pytest.mark.any_database
@pytest.mark.parametrize("state", ["inactive", "unknown"])
def test_whoever_may_not_sign_in_costs_as_much_time_as_a_wrong_password(support: User, state: str) -> None:
    """With the slow hash of a real installation; the first of each is not counted."""
    support.set_password(PASSWORD)
    support.is_active = state != "inactive"
    support.save()
    other = User.objects.create(username="other", display_name="Other", password=make_password(PASSWORD))

    def took(name: str) -> float:
        Misses.objects.all().delete()
        began = perf_counter()
        attempt(Client(), name)
        return perf_counter() - began

    name = "sam_support" if state == "inactive" else "nobody"
    times = [(took(other.username), took(name)) for _ in range(6)][1:]
    wrong, absent = (median(column) for column in zip(*times, strict=True))

    assert 0.5 < absent / wrong < 2


def test_what_was_typed_as_an_unknown_name_stands_nowhere(sam: User) -> None:
    attempt(Client(), "Hunter2-typed-as-a-name")

    event = AuditEvent.objects.get(action="user.sign_in_failed")
    assert event.subject_label == "a name nobody has"
    assert "Hunter2" not in str([*AuditEvent.objects.values(), *Misses.objects.values()])
    assert event.facts["address"] == "203.0.113.7"


def test_codes_of_the_app_are_slowed_for_strangers_and_not_for_a_known_browser(sam: User) -> None:
    own, thief = Client(), Client()
    attempt(own, "sam_support", PASSWORD)
    own.post(reverse("logout"))
    phone = with_phone(sam)
    attempt(thief, "sam_support", PASSWORD)
    codes = [thief.post("/sign-in/code/", {"proof": "000000"}).status_code for _ in range(PROOF.free + 1)]
    assert codes[-2:] == [422, 429]

    attempt(own, "sam_support", PASSWORD)

    assert own.post("/sign-in/code/", {"proof": phone.code()}).status_code == 302


@pytest.mark.parametrize(
    ("address", "place"),
    [("203.0.113.7", "203.0.113.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("unix:", "unix:")],
)
def test_one_line_of_ipv6_is_one_place(rf: Any, address: str, place: str) -> None:
    assert place_of(rf.get("/", REMOTE_ADDR=address)) == place
