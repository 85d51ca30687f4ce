"""The whole job through the pages: from the storefront's list to a day that agrees with the supplier."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.bookkeeping import postings
from procurement.catalog.models import Mapping, Sku
from procurement.claims.models import Case, Claim
from procurement.orders.models import Code, Order
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount, WebhookEvent
from procurement.vault import Purpose, open_sealed
from tests.at_desk import Desk, Page
from tests.journeys.conftest import Floor

pytestmark = pytest.mark.django_db(transaction=True)
SAMPLE = settings.ROOT / "procurement" / "catalog" / "sample" / "storefront_skus.csv"


@dataclass
class Team:
    buyer: Desk
    manager: Desk
    second: Desk
    support: Desk
    finance: Desk


@pytest.fixture
def team(buyer: User, manager: User, second_manager: User, support: User, finance: User) -> Team:
    return Team(*(Desk(user) for user in (buyer, manager, second_manager, support, finance)))


@pytest.fixture
def empty(floor: Floor) -> Floor:
    """Accounts with money and products, and nothing sold yet."""
    Mapping.objects.all().delete()
    Sku.objects.all().delete()
    return floor


def import_skus(team: Team) -> None:
    """Buyer: look at the storefront's list line by line, then import it."""
    start = team.buyer.open("catalog:import_new")
    lines = len(SAMPLE.read_text(encoding="utf-8").splitlines()) - 1
    upload = SimpleUploadedFile("storefront_skus.csv", SAMPLE.read_bytes(), "text/csv")
    checked = team.buyer.send(start.form(), file=upload)
    assert Sku.objects.count() == 0
    team.buyer.send(checked.form("/apply/"))
    assert Sku.objects.count() == lines


def map_skus(team: Team) -> None:
    """Buyer proposes; the same person can't activate; a manager does."""
    team.buyer.send(team.buyer.open("catalog:sku_list").form(reverse("catalog:propose_all")))
    drafts = Mapping.objects.filter(state="draft").count()
    assert drafts > 100
    assert Mapping.objects.filter(state="active").count() == 0
    Page(team.buyer.client.post(reverse("catalog:activate_all"))).text.index("This is for: ")
    told = team.manager.send(team.manager.open("catalog:sku_list").form(reverse("catalog:activate_all")))
    assert f"{drafts} mappings activated, 0 not." in told.text


def order(team: Team, supplier: str, sku: str, quantity: int, name: str) -> tuple[Order, Page]:
    """Buyer: fill the form, read the check page, place it."""
    check = team.buyer.open(
        "orders:order_new",
        check=1,
        sku=sku,
        supplier=supplier,
        quantity=quantity,
        client_order_id=name,
        purpose="Stock",
    )
    assert "Free after" in check.text
    placed = team.buyer.send(check.form(reverse("orders:order_place")))
    return Order.objects.get(client_order_id=name), placed


def plain(code: Code) -> str:
    text = open_sealed(code.sealed, purpose=Purpose.CODE, context=code.context()).expose()
    return f"{text[:4]}-{text[4:8]}-{text[8:]}".lower()


@pytest.mark.requirement("R1", "R2", "R19", "R35", "R55", "R67", "R83", "R89", "R106", "R115")
def test_the_main_job_from_a_list_of_skus_to_a_day_that_agrees(empty: Floor, team: Team) -> None:
    shop = empty.shop
    import_skus(team)
    map_skus(team)

    small, shown = order(team, "psnb2b", "PSN-US-50", 2, "ORDER-7001")
    assert "Approved, queued" in shown.text
    large, shown = order(team, "alpha", "PSN-US-50", 20, "ORDER-7002")
    assert "Needs approval" in shown.text
    empty.work(30)
    assert [row["order_id"] for row in shop.sandbox.orders(supplier="alpha")] == []

    approve(team, large)
    shop.sandbox.arm("psnb2b", "wrong_region_code", region="TR")
    third, _ = order(team, "psnb2b", "PSN-US-25", 1, "ORDER-7003")
    empty.work(90)
    for one in (small, large, third):
        one.refresh_from_db()
        assert (one.state, one.delivered_quantity) == ("codes_stored", one.quantity)
    assert set(WebhookEvent.objects.values_list("result", flat=True)) == {"applied"}

    claim = claim_over_api(team, third)
    by_hand = claim_by_hand(team, large)
    assert [row["id"] for row in shop.sandbox.call("GET", "claims")["claims"]] == [claim.remote_id]
    assert by_hand.remote_id == "TICKET-5521"

    money_pages(team, small, large, third)
    day_agrees(empty, team)
    nothing_leaked(team, [small, large, third])


def approve(team: Team, large: Order) -> None:
    """The requester can't; a manager reads everything on one page and approves; a second manager reads who did."""
    queue = team.manager.open("approvals:request_list")
    address = next(link for link in queue.links("/approvals/") if re.search(r"[0-9a-f-]{36}", link))
    page = team.manager.open(address)
    for word in ("ORDER-7002", "Over 500.00 USD: needs one manager", "Stock"):
        assert word in page.text
    team.manager.send(page.form("/decide/"), decision="approve")
    assert "Approved by Mia Manager" in team.second.open(address).text
    assert reverse("approvals:request_decide", args=[address.split("/")[2]]) not in team.second.open(address).html


def claim_over_api(team: Team, wrong: Order) -> Claim:
    """Support: last four, the pasted code, the case, the verdict, the claim."""
    code = wrong.codes.get()
    assert code.state == "wrong_region"
    page = team.support.open("overview")
    by_last4 = team.support.send(page.form(reverse("search")), q=code.last4, status=303)
    by_code = team.support.send(page.form(reverse("search")), q=plain(code), status=303)
    assert str(wrong) in by_last4.text
    assert str(wrong) in by_code.text
    new = team.support.open(by_code.links(f"code={code.pk}")[0])
    case_page = team.support.send(new.form(), customer_order="10421", error_text="This code is not for your region")
    assert "The supplier" in case_page.text
    case = Case.objects.get(code=code)
    claim_page = team.support.open("claims:claim_new", case.pk)
    team.support.send(claim_page.form())
    claim = Claim.objects.get(case=case)
    code.refresh_from_db()
    case.refresh_from_db()
    assert (claim.state, claim.priority, code.state, case.state) == ("filed", True, "claimed", "waiting_supplier")
    return claim


def claim_by_hand(team: Team, large: Order) -> Claim:
    """At Alpha there is no claim over the API: a text to send, and filed once its reference is recorded."""
    code = large.codes.order_by("position")[0]
    Code.objects.filter(pk=code.pk).update(state="invalid")
    form = team.support.open("claims:case_new", code=code.pk).form()
    team.support.send(form, error_text="The code was not recognised", account_region="US")
    case = Case.objects.get(code=code)
    overrule = team.support.open("claims:case_overrule", case.pk).form()
    verdicts = re.findall(r'<option value="([a-z_]+)"', team.support.open("claims:case_overrule", case.pk).html)
    verdict = next(key for key in verdicts if "supplier" in key or "invalid" in key)
    team.support.send(overrule, verdict=verdict, reason="The typing was checked with the customer twice")
    form = team.support.open("claims:claim_new", case.pk).form()
    prepared = team.support.send(form, reason="invalid")
    claim = Claim.objects.get(case=case)
    assert (claim.state, claim.method) == ("draft", "manual")
    team.support.send(prepared.form("/reference/"), reference="TICKET-5521")
    claim.refresh_from_db()
    assert claim.state == "filed"
    return claim


def money_pages(team: Team, *orders: Order) -> None:
    """Finance and the manager read the same movements of the same orders."""
    for account in SupplierAccount.objects.all():
        spent = sum(order.total_cost_minor or 0 for order in orders if order.account_id == account.pk)
        left = postings.amount_text(5000_00 - spent, "USD")
        pages = [
            desk.open("bookkeeping:ledger", account=f"{account.code}:USD").text for desk in (team.finance, team.manager)
        ]
        for text in pages:
            assert left.removesuffix(" USD") in text
            for one in orders:
                assert (one.client_order_id in text) is (one.account_id == account.pk)


def day_agrees(floor: Floor, team: Team) -> None:
    """Finance: ask for today at both suppliers, let the loop compare, read that nothing differs."""
    today: date = timezone.now().date()
    for code in floor.shop.accounts:
        page = team.finance.open("reconciliation:day_list")
        team.finance.send(page.form(reverse("reconciliation:day_run")), book=f"{code}:USD", day=today.isoformat())
    floor.work(120, every=10)
    for code in floor.shop.accounts:
        day = team.finance.open("reconciliation:day_detail", code, "USD", today.isoformat())
        assert "0.00" in day.text
        assert "agrees" in day.text.lower(), day.text[:1500]


def nothing_leaked(team: Team, orders: list[Order]) -> None:
    """No page shown on the way held a full code, and the search by a code left only that it was made."""
    codes = [plain(code).replace("-", "").upper() for order in orders for code in order.codes.all()]
    pages = [team.support.open("orders:order_detail", order.pk).html for order in orders]
    pages += [team.support.open(f"/cases/{case.pk}/").html for case in Case.objects.all()]
    pages += [str(list(AuditEvent.objects.values_list("facts", "reason")))]
    assert [code for code in codes for page in pages if code in page.replace("-", "").upper()] == []
    assert AuditEvent.objects.filter(action="code.searched").count() == 1


def test_signed_out_nothing_of_it_is_seen(floor: Floor) -> None:
    for name in ("overview", "orders:order_list", "catalog:sku_list", "bookkeeping:ledger", "reconciliation:day_list"):
        assert Client().get(reverse(name))["Location"].startswith(reverse("login"))
