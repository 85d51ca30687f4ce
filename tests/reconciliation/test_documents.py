"""What proves a day stands on its page, with where it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from procurement.audit.models import AuditEvent
from procurement.bookkeeping import corrections, deposits
from procurement.bookkeeping.models import Deposit
from procurement.claims.services.cases import open_case
from procurement.errors import NotAllowed, Refused
from procurement.orders.models import Order
from procurement.reconciliation import signing
from procurement.reconciliation.documents import SHOWN, documents_of
from procurement.reconciliation.evidence import add_day_evidence
from procurement.reconciliation.printing import lines_of
from procurement.reconciliation.window import window_of
from procurement.staff.models import User
from tests.at_desk import Desk
from tests.reconciliation.conftest import DAY, NEXT, NOON, Scene, moment
from tests.reconciliation.test_statements import LATER, imported, order_line, upload

MINUTE = timedelta(minutes=1)


@pytest.fixture
def proven(scene: Scene, finance: User, support: User) -> Scene:
    """A day with two statements, a deposit with its invoice and one without, a correction, two files and a case."""
    order = scene.buy("ORD-1")
    scene.buy("ORD-2", at=NOON + MINUTE)
    scene.buy("ORD-LATE", at=NEXT + MINUTE)
    imported(scene, finance, order_line("ORD-1", 4500))
    upload(scene, finance, order_line("ORD-1", 4400))
    scene.deposit(2_000, NOON)
    with moment(NOON):
        facts: dict[str, Any] = {"account": scene.account, "currency": "USD"}
        paid = deposits.announce_deposit(by=finance, amount_minor=900, way="USDT/TRC-20", reference="INV-1", **facts)
        deposits.add_evidence(by=finance, deposit=paid, name="invoice.pdf", content=b"%PDF-1.7 invoice")
        Deposit.objects.filter(pk=paid.pk).update(
            state="credited", credited_minor=900, credited_on=DAY, credited_how="opening"
        )
        corrections.propose_correction(
            by=finance, amount_minor=-300, against="fees", day=DAY, reason="A fee, as they wrote.", **facts
        )
        open_case(by=support, order=order, error_text="Not valid")
    return scene


@pytest.mark.requirement("R65", "R73", "R94", "R95")
def test_a_day_lists_what_proves_it_and_nothing_of_another_day(proven: Scene, finance: User) -> None:
    found = {
        one.label: [(row.name, row.facts) for row in one.rows]
        for one in documents_of(window_of(proven.account, "USD", DAY))
    }
    assert list(found) == ["Account statements", "Deposits", "Correcting entries", "Delivery files", "Cases"]
    assert [facts.partition(";")[0] for _, facts in found["Account statements"]] == [
        "2026-11-20 to 2026-11-20, compared with",
        "2026-11-20 to 2026-11-20, only checked, not compared with",
    ]
    names = [name for name, _ in found["Deposits"]]
    assert names[:2] == ["deposit INV-1", "invoice.pdf"]
    assert found["Deposits"][2][1] == "20.00 USD credited; no document attached"
    assert found["Correcting entries"][0][1].endswith("A fee, as they wrote.")
    assert [name for name, _ in found["Delivery files"]] == ["ORD-1", "ORD-2"]
    assert found["Delivery files"][0][1] == "2 codes at 12:00:03 UTC; checksum cccccccccccccccc…"
    assert len(found["Cases"]) == 1
    assert documents_of(window_of(proven.account, "EUR", DAY)) == []


@pytest.mark.requirement("R94")
def test_every_document_of_the_page_can_be_opened(proven: Scene, auditor: User) -> None:
    with moment(LATER):
        page = Desk(auditor).open("reconciliation:day_detail", "alpha", "USD", DAY.isoformat())
        assert "What proves this day" in page.text
        client = Client()
        client.force_login(auditor)
        for group in documents_of(window_of(proven.account, "USD", DAY)):
            for one in group.rows:
                assert one.url in page.html
                assert client.get(one.url).status_code == 200, one.url


@pytest.mark.requirement("R94")
def test_a_document_is_kept_with_its_day_and_changes_nothing_that_was_signed(
    scene: Scene, finance: User, manager: User, auditor: User
) -> None:
    scene.buy("ORD-1")
    row = scene.run()
    with moment(LATER):
        first = add_day_evidence(by=finance, row=row, name="invoice.pdf", content=b"%PDF-1.7 an invoice")
        made = signing.prepare_day(by=finance, row=row)
        assert made.content["documents"] == [{"name": "invoice.pdf", "sha256": first.sha256}]
        signing.sign_day(by=manager, sign_off=made, shown_hash=made.content_hash)
    with moment(LATER + timedelta(minutes=1)):
        kept = add_day_evidence(by=finance, row=row, name="../mail.pdf", content=b"%PDF-1.7 their answer")
        scene.run(at=LATER + timedelta(hours=1))
        assert row.sign_offs.get().state == "signed"
        (papers, *_) = documents_of(window_of(scene.account, "USD", DAY), made.prepared_at)
        assert papers.label == "Documents of the day"
        assert [(one.name, "added after what was signed" in one.facts) for one in papers.rows] == [
            ("invoice.pdf", False),
            ("mail.pdf", True),
        ]
        client = Client()
        client.force_login(auditor)
        report = client.get(reverse("reconciliation:day_report", args=["alpha", "USD", DAY.isoformat()]))
        assert first.sha256 in report.content.decode()
        assert kept.sha256 not in report.content.decode()
        printed = [words for words, _ in lines_of(row.sign_offs.get(), [], intact=True)]
        assert "Documents: 1" in printed
        assert f"SHA-256 {first.sha256}" in printed
        answer = client.get(papers.rows[1].url)
        assert (answer.content, answer["Content-Type"]) == (b"%PDF-1.7 their answer", "application/pdf")
        assert answer["Content-Disposition"].startswith("attachment")
        elsewhere = papers.rows[1].url.replace(DAY.isoformat(), "2026-11-19")
        assert client.get(elsewhere).status_code == 404
        assert AuditEvent.objects.filter(action="reconciliation.evidence_added").count() == 2
        with pytest.raises(Refused, match="kept with the day already"):
            add_day_evidence(by=manager, row=row, name="again.pdf", content=b"%PDF-1.7 their answer")
        with pytest.raises(Refused, match="no PDF, PNG or JPEG"):
            add_day_evidence(by=finance, row=row, name="x.pdf", content=b"<script>")
        with pytest.raises(NotAllowed):
            add_day_evidence(by=auditor, row=row, name="x.pdf", content=b"%PDF-1.7 other")
    assert list(row.evidence.order_by("added_at")) == [first, kept]


def test_the_page_takes_a_document(scene: Scene, finance: User) -> None:
    scene.buy("ORD-1")
    row = scene.run()
    with moment(LATER):
        desk = Desk(finance)
        page = desk.open("reconciliation:day_detail", "alpha", "USD", DAY.isoformat())
        file = SimpleUploadedFile("answer.pdf", b"%PDF-1.7 x", "application/pdf")
        shown = desk.send(page.form("/evidence/"), file=file)
    assert "answer.pdf is kept with the day." in shown.text
    assert row.evidence.get().added_by == finance


def test_a_long_day_shows_the_first_and_counts_the_rest(scene: Scene, django_assert_max_num_queries: Any) -> None:
    order = scene.buy("ORD-1")
    Order.objects.filter(pk=order.pk).update(quantity=99)
    order.deliveries.bulk_create(
        [type(order.deliveries.get())(order=order, count=1, checksum="d" * 64, fetched_at=NOON) for _ in range(60)]
    )
    with django_assert_max_num_queries(10):
        (files,) = documents_of(window_of(scene.account, "USD", DAY))
    assert (len(files.rows), files.more) == (SHOWN, 11)
