"""A day is signed by two people over what they saw, and a day that changes afterwards is open again."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from ledger.models import Checkpoint
from procurement.audit.models import AuditEvent
from procurement.bookkeeping.models import CleanDay
from procurement.desk.metrics import exposition
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.reconciliation import signing
from procurement.reconciliation.models import Day, Difference, SignOff
from procurement.reconciliation.queries import unsigned_days
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from tests.conftest import make_person
from tests.reconciliation.conftest import DAY, NEXT, NOON, START, Scene, moment

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("R93")]
LATER = NEXT + timedelta(hours=2)
NOTE = "Confirmed with their support by mail"


@pytest.fixture
def second(db: None) -> User:
    return make_person("frank_finance", "finance")


@pytest.fixture
def clean(scene: Scene) -> Day:
    scene.buy("ORD-1")
    return scene.run()


@pytest.fixture
def differing(scene: Scene) -> Day:
    """One matched order, and one of 9.00 USD that the supplier does not know."""
    scene.buy("ORD-1")
    ghost = scene.order("ORD-2", 900)
    scene.book(ghost, 900, NOON)
    return scene.run()


def explained(row: Day, by: User, cause: str = "supplier_error") -> Difference:
    difference = row.differences.get(gone_at=None)
    signing.explain_difference(by=by, difference=difference, cause=cause, note=NOTE)
    difference.refresh_from_db()
    return difference


def state() -> list[Any]:
    return [list(model.objects.order_by("pk").values_list()) for model in (SignOff, Difference, AuditEvent)]


def refused(error: type[Exception], says: str, act: Callable[[], Any]) -> None:
    before = state()
    with moment(LATER), pytest.raises(error, match=says):
        act()
    assert state() == before


def test_a_clean_day_is_prepared_by_one_and_signed_by_another(clean: Day, finance: User, manager: User) -> None:
    with moment(LATER):
        made = signing.prepare_day(by=finance, row=clean)
        signing.sign_day(by=manager, sign_off=made, shown_hash=made.content_hash)
    made.refresh_from_db()
    assert (made.state, made.prepared_by, made.reviewed_by, made.reviewed_at) == ("signed", finance, manager, LATER)
    checkpoint = Checkpoint.objects.get()
    assert made.checkpoint == f"checkpoint 1: {bytes(checkpoint.hash).hex()}"
    assert made.content["ours"] == 95_500
    assert [event.action for event in AuditEvent.objects.order_by("id")][-2:] == [
        "reconciliation.prepared",
        "reconciliation.signed",
    ]


def test_nobody_signs_what_they_prepared(clean: Day, finance: User) -> None:
    with moment(LATER):
        made = signing.prepare_day(by=finance, row=clean)
    refused(
        NotAllowed,
        "You prepared this day",
        lambda: signing.sign_day(by=finance, sign_off=made, shown_hash=made.content_hash),
    )


def test_the_database_knows_that_two_sign(clean: Day, finance: User) -> None:
    with moment(LATER):
        made = signing.prepare_day(by=finance, row=clean)
    for reviewer in (None, finance):
        with pytest.raises(IntegrityError), transaction.atomic():
            SignOff.objects.filter(pk=made.pk).update(state="signed", reviewed_by=reviewer)
    made.refresh_from_db()
    assert made.state == "prepared"


def test_who_may_not_reconcile_neither_prepares_nor_signs(
    clean: Day, finance: User, buyer: User, auditor: User
) -> None:
    with moment(LATER):
        made = signing.prepare_day(by=finance, row=clean)
    for person in (buyer, auditor):
        refused(NotAllowed, "This is for", partial(signing.prepare_day, by=person, row=clean))
        refused(
            NotAllowed,
            "This is for",
            partial(signing.sign_day, by=person, sign_off=made, shown_hash=made.content_hash),
        )


def test_a_day_that_is_not_over_or_waits_is_not_prepared(scene: Scene, finance: User) -> None:
    scene.buy("ORD-1")
    row = scene.run(at=NOON + timedelta(hours=1))
    refused(Refused, "not compared after its end", lambda: signing.prepare_day(by=finance, row=row))
    scene.client.down = True
    waiting = scene.run()
    refused(Refused, "not compared after its end|still waits", lambda: signing.prepare_day(by=finance, row=waiting))


def test_differences_stand_in_the_way_until_they_are_explained(differing: Day, finance: User, second: User) -> None:
    prepare = lambda: signing.prepare_day(by=finance, row=differing)  # noqa: E731
    refused(Refused, "1 of the differences are not explained: missing at the supplier ORD-2", prepare)
    difference = explained(differing, finance)
    refused(Refused, "not explained", prepare)
    refused(
        NotAllowed,
        "explained this difference yourself",
        lambda: signing.accept_difference(by=finance, difference=difference),
    )
    with moment(LATER):
        signing.accept_difference(by=second, difference=difference)
        made = prepare()
    assert made.content["differences"][0]["note"] == NOTE
    assert made.content["differences"][0]["accepted_by"] == str(second)


def test_a_small_difference_needs_one_person(differing: Day, finance: User) -> None:
    differing.account.settings = {"explain_alone_up_to": 900}
    differing.account.save()
    explained(differing, finance)
    with moment(LATER):
        assert signing.prepare_day(by=finance, row=Day.objects.get()).state == "prepared"


def test_an_explanation_needs_a_cause_and_words(differing: Day, finance: User) -> None:
    difference = differing.differences.get()
    for cause, note, says in (("guess", NOTE, "one of the causes"), ("other", "because", "at least 10")):
        refused(
            Refused,
            says,
            partial(signing.explain_difference, by=finance, difference=difference, cause=cause, note=note),
        )


def test_another_amount_needs_another_explanation(scene: Scene, differing: Day, finance: User, second: User) -> None:
    difference = explained(differing, finance)
    signing.accept_difference(by=second, difference=difference)
    scene.client.orders["r-ORD-1"] = scene.client.orders.pop("r-ORD-1")
    Difference.objects.filter(pk=difference.pk).update(amount_minor=901)
    scene.run()
    difference.refresh_from_db()
    assert (difference.amount_minor, difference.cause, difference.explained_by, difference.accepted_by) == (
        900,
        "",
        None,
        None,
    )


@pytest.mark.requirement("R97")
def test_a_second_run_that_finds_the_same_leaves_the_signature(
    scene: Scene, clean: Day, finance: User, manager: User
) -> None:
    with moment(LATER):
        made = signing.prepare_day(by=finance, row=clean)
        signing.sign_day(by=manager, sign_off=made, shown_hash=made.content_hash)
    before = state()
    scene.run(at=LATER + timedelta(hours=1))
    assert state() == before


def test_late_data_reopens_the_day_and_keeps_the_signature(
    scene: Scene, clean: Day, finance: User, manager: User
) -> None:
    with moment(LATER):
        made = signing.prepare_day(by=finance, row=clean)
        signing.sign_day(by=manager, sign_off=made, shown_hash=made.content_hash)
    signed = made.content
    assert [(one.account, one.day) for one in CleanDay.objects.all()] == [(clean.account, clean.day)]
    late = scene.order("ORD-9", 700)
    scene.there(late, 700, NOON)
    scene.run(at=LATER + timedelta(hours=1))
    made.refresh_from_db()
    assert (made.state, made.reviewed_by, made.content) == ("reopened", manager, signed)
    assert "came out differently" in made.ended_why
    assert signing.in_force(clean) is None
    assert not CleanDay.objects.exists()


@pytest.mark.requirement("R96")
def test_a_day_signed_with_a_difference_counts_for_no_higher_cap(
    differing: Day, finance: User, manager: User, second: User
) -> None:
    with moment(LATER):
        signing.accept_difference(by=second, difference=explained(differing, finance))
        made = signing.prepare_day(by=finance, row=differing)
        signing.sign_day(by=manager, sign_off=made, shown_hash=made.content_hash)
    assert SignOff.objects.get().state == "signed"
    assert not CleanDay.objects.exists()


def test_a_day_that_changed_after_it_was_prepared_is_not_signed(
    scene: Scene, clean: Day, finance: User, manager: User
) -> None:
    with moment(LATER):
        made = signing.prepare_day(by=finance, row=clean)
    Day.objects.filter(pk=clean.pk).update(ours_minor=1)
    refused(
        StaleState,
        "changed after it was prepared",
        lambda: signing.sign_day(by=manager, sign_off=made, shown_hash=made.content_hash),
    )
    refused(
        StaleState,
        "showed another preparation",
        lambda: signing.sign_day(by=manager, sign_off=made, shown_hash="0" * 64),
    )


def test_a_day_is_prepared_once(clean: Day, finance: User, second: User) -> None:
    with moment(LATER):
        signing.prepare_day(by=finance, row=clean)
    refused(StaleState, "prepared or signed already", lambda: signing.prepare_day(by=second, row=clean))


def test_nothing_is_explained_under_a_preparation(differing: Day, finance: User, second: User) -> None:
    difference = explained(differing, finance)
    with moment(LATER):
        signing.accept_difference(by=second, difference=difference)
        made = signing.prepare_day(by=finance, row=differing)
    refused(
        StaleState,
        "prepared or signed",
        lambda: signing.explain_difference(by=second, difference=difference, cause="other", note=NOTE),
    )
    refused(Refused, "Say why", lambda: signing.withdraw_sign_off(by=second, sign_off=made, reason=" "))
    with moment(LATER):
        signing.withdraw_sign_off(by=second, sign_off=made, reason="The note names the wrong ticket")
        signing.explain_difference(by=second, difference=difference, cause="other", note=NOTE)
    assert signing.in_force(differing) is None


# The pages

PAGE = "/reconciliation/alpha/USD/2026-11-20/"


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def words(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def field(answer: Any, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', answer.content.decode())
    assert found, name
    return found[1]


@pytest.mark.requirement("R91")
def test_a_clean_day_takes_two_clicks_and_leaves_a_report(clean: Day, finance: User, manager: User) -> None:
    with moment(LATER):
        first, other = signed_in(finance), signed_in(manager)
        assert "Prepare 20 Nov for signing" in words(first.get(PAGE))
        assert "Finance prepares the day" in words(other.get(PAGE))
        first.post(f"{PAGE}prepare/", {"once": "a" * 32})
        shown = first.get(PAGE)
        assert "Ready to sign" in words(shown)
        assert "Sign off 20 Nov" not in words(shown)
        page = other.get(PAGE)
        assert "Nobody signed this day yet" in words(other.get(f"{PAGE}report/"))
        other.post(f"{PAGE}sign/", {"once": "b" * 32, "hash": field(page, "hash")})
        assert "Signed off" in words(other.get("/reconciliation/"))
        report = words(other.get(f"{PAGE}report/"))
    assert str(finance) in report
    assert str(manager) in report
    assert "955.00 USD" in report
    assert "Both sides agree" in report
    SignOff.objects.update(content={**SignOff.objects.get().content, "ours": 1})
    assert "These figures are not those that were signed" in words(signed_in(finance).get(f"{PAGE}report/"))


def test_a_difference_is_explained_and_accepted_on_the_page(differing: Day, finance: User, manager: User) -> None:
    difference = differing.differences.get()
    with moment(LATER):
        first, other = signed_in(finance), signed_in(manager)
        page = words(first.get(PAGE))
        assert "1 difference must be explained" in page
        assert "Explain it" in page
        assert "Explain it" not in words(other.get(PAGE))
        url = reverse("reconciliation:difference_explain", args=[difference.pk])
        first.post(url, {"once": "a" * 32, "cause": "supplier_error", "note": NOTE})
        assert "Accept this explanation" not in words(first.get(PAGE))
        assert "Accept this explanation" in words(other.get(PAGE))
        other.post(reverse("reconciliation:difference_accept", args=[difference.pk]), {"once": "b" * 32})
        assert f"accepted by {manager}" in words(first.get(PAGE))
        assert "Prepare 20 Nov for signing" in words(first.get(PAGE))


def test_who_only_reads_sees_no_button(clean: Day, finance: User, auditor: User) -> None:
    with moment(LATER):
        signing.prepare_day(by=finance, row=clean)
        client = signed_in(auditor)
        page = client.get(PAGE)
        assert "/sign/" not in page.content.decode()
        assert client.post(f"{PAGE}sign/", {"once": "c" * 32, "hash": "x"}).status_code == 403
    assert SignOff.objects.get().state == "prepared"


def test_a_day_nobody_compared_is_not_prepared(scene: Scene, finance: User) -> None:
    with moment(LATER):
        assert signed_in(finance).post(f"{PAGE}prepare/", {"once": "d" * 32}).status_code == 404
    assert not SignOff.objects.exists()


def test_a_day_nobody_signed_by_its_hour_calls_people(clean: Day, finance: User, manager: User, client: Client) -> None:
    SupplierAccount.objects.update(created_at=START - timedelta(days=2), settings={"sign_by_hour": 14})
    early, late = NEXT + timedelta(hours=13, minutes=59), NEXT + timedelta(hours=14)
    assert [days for _, days in unsigned_days(early)] == [[DAY - timedelta(days=2), DAY - timedelta(days=1)]]
    assert [days[-1] for _, days in unsigned_days(late)] == [DAY]
    with moment(late):
        client.force_login(manager)
        assert "Alpha · USD: 3 days from 18 Nov on are not signed off." in client.get("/").content.decode()
        assert 'countersign_days_unsigned{account="alpha",currency="USD"} 3' in exposition()
        made = signing.prepare_day(by=finance, row=clean)
        assert [days[-1] for _, days in unsigned_days(late)] == [DAY]
        signing.sign_day(by=manager, sign_off=made, shown_hash=made.content_hash)
    assert [days[-1] for _, days in unsigned_days(late)] == [DAY - timedelta(days=1)]
