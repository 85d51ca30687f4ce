"""The contract page, a probe's page and the checklist, as people of different roles see them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from procurement.audit.models import AuditEvent
from procurement.onboarding.checklist import groups_of, tick
from procurement.onboarding.models import ChecklistTick, ProbeRun
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from procurement.terms.services import confirm_statement, record_statement
from procurement.web.once import new_token
from tests.onboarding.conftest import probed, work_probe
from tests.orders.conftest import Shop
from tests.terms.conftest import said

pytestmark = pytest.mark.django_db(transaction=True)


def as_person(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def raw(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else bytes(answer.content)


def text_of(answer: Any) -> str:
    return " ".join(raw(answer).decode().split())


def page_of(account: SupplierAccount, part: str = "contract") -> str:
    return f"/accounts/{account.pk}/{part}/"


def test_a_probe_started_on_the_page_is_worked_and_says_what_it_found(shop: Shop, admin: User) -> None:
    account, client = shop.accounts["psnb2b"], as_person(admin)
    assert "No probe was run here yet." in text_of(client.get(page_of(account)))

    answer = client.post(f"{page_of(account)}probe/", {"once": new_token(), "part": "reading"})
    run = ProbeRun.objects.get()
    assert answer["Location"] == f"/probes/{run.pk}/"
    assert "A worker takes the steps" in text_of(client.get(answer["Location"]))
    work_probe(shop, run)

    shown = text_of(client.get(answer["Location"]))
    assert "hx-trigger" not in shown.partition('id="probe"')[2].partition(">")[0]
    assert "Refused as not_found" in shown or "refused as not_found" in shown
    assert "X-RateLimit-Remaining and Retry-After stand on every answer." in text_of(client.get(page_of(account)))


def test_at_a_live_account_the_page_offers_only_what_reads(shop: Shop, admin: User, settings: Any) -> None:
    settings.ENVIRONMENT = "live"
    SupplierAccount.objects.filter(code="alpha").update(environment="live")
    account, client = shop.accounts["alpha"], as_person(admin)

    shown = text_of(client.get(page_of(account)))
    answer = client.post(f"{page_of(account)}probe/", {"once": new_token()})

    assert "Probe everything" not in shown
    assert "Probe what only reads" in shown
    assert answer.status_code == 422
    assert "where a test order costs money. Nothing was started." in text_of(answer)
    assert not ProbeRun.objects.exists()


def test_a_contradiction_stands_on_the_overview_until_a_probe_sees_otherwise(
    shop: Shop, admin: User, buyer: User
) -> None:
    shop.sandbox.arm("psnb2b", "html_502", where="read")
    first = probed(shop, "psnb2b", read_only=True)
    told = "contradicts 1 clause of its contract: “All answers are JSON.”"

    assert told in text_of(as_person(admin).get("/"))
    assert told not in text_of(as_person(buyer).get("/"))

    second = probed(shop, "psnb2b", read_only=True)
    client = as_person(admin)
    assert (first.state, second.state) == ("failed", "passed")
    assert told not in text_of(client.get("/"))
    row = text_of(client.get(page_of(shop.accounts["psnb2b"]))).partition('id="json"')[2].partition("</tr>")[0]
    assert "Observed" in row
    assert f"/probes/{first.pk}/" in row


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_contract_and_probe_are_exported_and_that_is_recorded(shop: Shop, auditor: User, ending: str) -> None:
    run = probed(shop, "alpha", read_only=True)
    client = as_person(auditor)

    contract = client.get(f"{page_of(shop.accounts['alpha'])}?format={ending}")
    probe = client.get(f"/probes/{run.pk}/?format={ending}")

    if ending == "csv":
        assert "GET /products gives the catalogue.,documented,Observed" in text_of(contract)
        assert "A claim goes through support; there is no call for it.,documented,Documented only" in text_of(probe)
    else:
        assert raw(contract)[:2] == raw(probe)[:2] == b"PK"
    assert AuditEvent.objects.filter(action="export.made", actor=auditor).count() == 2


@pytest.mark.requirement("R14", "R114")
def test_the_checklist_looks_at_the_data_itself(shop: Shop, admin: User) -> None:
    account = shop.accounts["alpha"]

    def done() -> set[str]:
        return {line.label for group in groups_of(account) for line in group.lines if line.done}

    assert done() == {"The API key is set and tested", "The products are read", "Each SKU on sale is mapped"}
    probed(shop, "alpha")
    assert done() >= {"The balance is read", "The contract probe passed", "The webhook address is registered"}
    assert "A claim was filed" not in done()
    assert "There are two administrators" not in done()

    SupplierAccount.objects.filter(pk=account.pk).update(api_key_sealed=b"")
    account.refresh_from_db()
    assert "The API key is set and tested" not in done()


@pytest.mark.requirement("R14", "R113")
def test_each_term_limit_and_field_stands_on_the_checklist_as_confirmed_or_not(
    shop: Shop, admin: User, second_admin: User
) -> None:
    account, client = shop.accounts["alpha"], as_person(admin)

    def row() -> str:
        shown = text_of(client.get(page_of(account, "checklist")))
        return shown.partition(">Calls a minute<")[2].partition("</li>")[0]

    target = record_statement(by=admin, account=account, kind="calls_a_minute", said=said("50"))
    assert "Not confirmed. 58 in any 60 seconds" in row()
    confirm_statement(by=second_admin, statement=target)
    assert "Not confirmed" not in row()
    assert "Done" in row()


@pytest.mark.requirement("R14")
def test_a_line_is_ticked_with_name_and_note_and_taken_back_on_the_record(shop: Shop, admin: User) -> None:
    account, client = shop.accounts["alpha"], as_person(admin)
    address = f"{page_of(account, 'checklist')}tick/"

    client.post(address, {"once": new_token(), "line": "pausing", "note": "Ticket 4711"})
    assert "Ada Admin: Ticket 4711" in text_of(client.get(page_of(account, "checklist")))
    again = client.post(address, {"once": new_token(), "line": "pausing"})
    assert "was ticked already. Nothing was changed." in text_of(again)
    client.post(address, {"once": new_token(), "line": "pausing", "act": "untick"})

    assert not ChecklistTick.objects.exists()
    recorded = AuditEvent.objects.filter(action__startswith="checklist.").order_by("pk")
    assert [(event.action, event.actor, event.reason) for event in recorded] == [
        ("checklist.ticked", admin, "Ticket 4711"),
        ("checklist.unticked", admin, ""),
    ]


def test_nobody_ticks_what_the_desk_sees_for_itself_or_without_the_right(
    shop: Shop, admin: User, auditor: User
) -> None:
    account = shop.accounts["alpha"]
    address = f"{page_of(account, 'checklist')}tick/"

    by_auditor = as_person(auditor).post(address, {"once": new_token(), "line": "pausing"})
    unknown = as_person(admin).post(address, {"once": new_token(), "line": "balance"})

    assert by_auditor.status_code == 403
    assert "the desk looks for itself. Nothing was changed." in text_of(unknown)
    assert (
        "Tick"
        not in text_of(as_person(auditor).get(page_of(account, "checklist"))).partition("Before the account is used")[2]
    )
    assert not ChecklistTick.objects.exists()
    tick(by=admin, account=account, line="pausing")
    assert ChecklistTick.objects.count() == 1
