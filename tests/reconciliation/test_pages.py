from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from procurement.audit.models import AuditEvent
from procurement.reconciliation.models import Day
from procurement.reconciliation.window import WORK_KIND
from procurement.staff.models import User
from procurement.work.models import DueWork
from tests.reconciliation.conftest import DAY, NEXT, NOON, Scene, moment

LIST = "/reconciliation/"
PAGE = "/reconciliation/alpha/USD/2026-11-20/"
MINUTE = timedelta(minutes=1)
SignIn = Callable[[User], Client]


@pytest.fixture
def signed_in(client: Client) -> SignIn:
    def sign_in(person: User) -> Client:
        client.force_login(person)
        return client

    return sign_in


@pytest.fixture
def differing(scene: Scene) -> Day:
    """A day with a matched order, one the supplier does not know, and an unexplained balance."""
    scene.says(at=NOON - MINUTE)
    scene.buy("ORD-1", 4500)
    ghost = scene.order("ORD-2", 900)
    scene.book(ghost, 900, NOON + MINUTE)
    scene.balance -= 33
    return scene.run()


def words(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def run(client: Client, day: str = "2026-11-20", book: str = "alpha:USD") -> Any:
    return client.post(reverse("reconciliation:day_run"), {"book": book, "day": day})


@pytest.mark.requirement("R91", "R92")
def test_days_list_shows_both_sides_and_what_is_open(signed_in: SignIn, finance: User, differing: Day) -> None:
    page = words(signed_in(finance).get(LIST))
    assert "Fri 20 Nov 2026" in page
    assert "946.00 USD" in page
    assert "954.67 USD" in page
    assert "+8.67 USD" in page
    assert "Has differences" in page


@pytest.mark.requirement("R93", "R98")
def test_day_page_names_each_difference_with_order_amount_currency_and_age(
    signed_in: SignIn, finance: User, differing: Day
) -> None:
    with moment(NEXT + timedelta(days=3)):
        page = words(signed_in(finance).get(PAGE))
    assert "2 differences to explain: balance differs, missing at the supplier." in page
    assert "We booked 9.00 USD for ORD-2, and the supplier knows no order r-ORD-2." in page
    assert "+9.00 USD" in page
    assert "−0.33 USD" in page
    assert "2 d 23 h" in page
    assert "1 order matched" in page
    assert "Cut-off: 21 Nov 00:00:00 UTC" in page
    assert "balance of 21 Nov 00:05:00 UTC" in page


def test_terms_of_the_equation_lead_to_their_ledger_rows(signed_in: SignIn, finance: User, differing: Day) -> None:
    client = signed_in(finance)
    links = re.findall(r'href="(/ledger/\?[^"]+)"', client.get(PAGE).content.decode())
    assert len(links) == 4
    orders = next(link for link in links if "kind=orders" in link).replace("&amp;", "&")
    page = words(client.get(orders))
    assert "ORD-1" in page
    assert "ORD-2" in page
    assert "2 movements" in page


@pytest.mark.requirement("R89", "R63")
def test_managers_and_auditors_read_days_and_others_do_not(
    client: Client, manager: User, auditor: User, buyer: User, support: User, differing: Day
) -> None:
    for person in (manager, auditor):
        client.force_login(person)
        assert client.get(PAGE).status_code == client.get(LIST).status_code == 200
        assert "Run again" not in words(client.get(PAGE))
        assert run(client).status_code == 403
    for person in (buyer, support):
        client.force_login(person)
        for address in (PAGE, LIST, f"{PAGE}?format=csv"):
            assert client.get(address).status_code == 403
        assert run(client).status_code == 403
    assert not DueWork.objects.filter(kind=WORK_KIND).exists()


def test_run_again_makes_the_day_due_and_its_page_says_so(signed_in: SignIn, finance: User, differing: Day) -> None:
    client = signed_in(finance)
    answer = run(client)
    assert (answer.status_code, answer["Location"]) == (303, PAGE)
    due = DueWork.objects.get(kind=WORK_KIND)
    assert due.ref == f"{differing.account_id}:USD:2026-11-20"
    assert AuditEvent.objects.get(action="reconciliation.asked").actor == finance
    page = client.get(PAGE)
    assert "Comparing now." in words(page)
    assert 'hx-trigger="every 3s"' in page.content.decode()
    run(client)
    assert DueWork.objects.filter(kind=WORK_KIND).count() == 1
    due.delete()
    assert "hx-trigger" not in client.get(PAGE).content.decode().split('id="day"')[1].split(">")[0]


def test_a_day_without_a_run_can_be_compared_from_its_page(signed_in: SignIn, finance: User, scene: Scene) -> None:
    page = words(signed_in(finance).get(PAGE))
    assert "This day was not compared yet." in page
    assert "Compare now" in page


@pytest.mark.parametrize(
    "address", ["alpha/USD/2026-13-01", "alpha/usd/2026-11-20", "beta/USD/2026-11-20", "alpha/USD/x"]
)
def test_an_address_that_names_no_day_is_not_found(
    signed_in: SignIn, finance: User, scene: Scene, address: str
) -> None:
    assert signed_in(finance).get(f"/reconciliation/{address}/").status_code == 404
    assert signed_in(finance).get("/reconciliation/alpha/USD/9999-12-31/").status_code == 404


def test_a_day_to_come_is_refused(signed_in: SignIn, finance: User, scene: Scene) -> None:
    with moment(NOON):
        answer = run(signed_in(finance), "2026-11-22")
    assert answer.status_code == 422
    assert "has not begun" in words(answer)
    assert not DueWork.objects.filter(kind=WORK_KIND).exists()


def test_a_waiting_day_shows_not_known_and_never_zero(signed_in: SignIn, finance: User, scene: Scene) -> None:
    scene.run(at=NEXT + timedelta(hours=40))
    page = words(signed_in(finance).get(PAGE))
    assert "Supplier says not known" in page
    assert "Difference not known" in page
    assert "It is not zero; it was not read." in page


def test_a_supplier_that_is_down_leaves_the_result_before_and_says_so(
    signed_in: SignIn, finance: User, scene: Scene
) -> None:
    scene.buy("ORD-1")
    scene.run()
    scene.client.down = True
    scene.run(at=NEXT + timedelta(hours=1))
    page = words(signed_in(finance).get(PAGE))
    assert "The supplier could not be asked." in page
    assert "Agrees: 1 order matched" in page


@pytest.mark.requirement("R97")
def test_resolved_differences_stay_on_the_page(signed_in: SignIn, finance: User, scene: Scene) -> None:
    ghost = scene.order("ORD-2", 900)
    scene.book(ghost, 900, NOON)
    scene.run()
    scene.there(ghost, 900, NOON)
    scene.says(at=NEXT + timedelta(seconds=1))
    scene.run(at=NEXT + timedelta(hours=1))
    page = words(signed_in(finance).get(PAGE))
    assert "1 difference resolved" in page
    assert "Agrees" in page


def test_export_holds_differences_and_matched_orders(signed_in: SignIn, finance: User, differing: Day) -> None:
    answer: Any = signed_in(finance).get(PAGE, {"format": "csv"})
    about, header, *rows = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert "Has differences" in about[0]
    facts = [dict(zip(header, row, strict=True)) for row in rows]
    assert [(row["type"], row["order"], row["difference"]) for row in facts] == [
        ("Balance differs", "balance", "-0.33"),
        ("Missing at the supplier", "ORD-2", "9.00"),
        ("Matched", "ORD-1", "0.00"),
    ]
    assert AuditEvent.objects.get(action="export.made").facts["rows"] == 3


def test_list_export_and_filters(signed_in: SignIn, finance: User, differing: Day, scene: Scene) -> None:
    scene.run(DAY - timedelta(days=1))
    client = signed_in(finance)
    answer: Any = client.get(LIST, {"format": "csv", "view": "differs"})
    _, header, *rows = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert [dict(zip(header, row, strict=True))["differences open"] for row in rows] == ["2"]
    assert "No days match" in words(client.get(LIST, {"state": "waiting"}))


@pytest.mark.requirement("R95")
def test_day_page_counts_what_moved_besides_money(signed_in: SignIn, finance: User, differing: Day) -> None:
    page = words(signed_in(finance).get(PAGE))
    assert "Delivery files 2 Codes delivered 4" in page
    assert "Cases opened 0 Claims filed 0" in page


def test_pages_cost_the_same_however_many_days_and_orders(
    signed_in: SignIn, finance: User, scene: Scene, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        scene.buy(f"ORD-{number}", 450, NOON + number * MINUTE)
    for back in range(6):
        scene.run(DAY - timedelta(days=back))
    client = signed_in(finance)
    with django_assert_max_num_queries(20):
        client.get(LIST)
    with django_assert_max_num_queries(50):
        client.get(PAGE)
