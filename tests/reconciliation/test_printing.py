"""The signed report as files: what stands in it, that it is the same each time, and that its hash can be checked."""

from __future__ import annotations

import csv
import hashlib
import re
import zlib
from datetime import timedelta

import pytest
from django.test import Client

from procurement.audit.models import AuditEvent
from procurement.reconciliation import signing
from procurement.reconciliation.models import Day, SignOff
from procurement.reconciliation.printing import COLUMNS, plain, report_pdf
from procurement.staff.models import User
from tests.reconciliation.conftest import DAY, NEXT, NOON, Scene, moment

pytestmark = pytest.mark.django_db
LATER = NEXT + timedelta(hours=2)
PAGE = f"/reconciliation/alpha/USD/{DAY}/report/"
PASTED = "A1B2-C3D4-E5F6"


def text_of(pdf: bytes) -> list[str]:
    """The lines of every page, as a reader would show them."""
    streams = re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL)
    shown = [text for stream in streams for text in re.findall(rb"\((.*)\) Tj", zlib.decompress(stream))]
    return [re.sub(rb"\\(.)", rb"\1", text).decode("cp1252") for text in shown]


@pytest.fixture
def signed(scene: Scene, finance: User, manager: User) -> SignOff:
    """A day with one matched order and two that the supplier does not know, explained, accepted and signed."""
    scene.buy("ORD-1")
    for label in ("ORD-2", "ORD-3"):
        scene.book(scene.order(label, 900), 900, NOON)
    row: Day = scene.run()
    with moment(LATER):
        for one in row.differences.all():
            signing.explain_difference(
                by=finance, difference=one, cause="supplier_error", note=f"Their mail on {PASTED}"
            )
            one.refresh_from_db()
            signing.accept_difference(by=manager, difference=one)
        made = signing.prepare_day(by=finance, row=row)
        signing.sign_day(by=manager, sign_off=made, shown_hash=made.content_hash)
    return SignOff.objects.get()


@pytest.mark.requirement("R64", "R93")
def test_the_pdf_says_what_was_signed_and_holds_no_code(signed: SignOff, finance: User, manager: User) -> None:
    pdf = report_pdf(signed, [], intact=True)
    lines = text_of(pdf)
    text = "\n".join(lines)
    assert pdf.startswith(b"%PDF-1.7")
    assert lines[0] == "Reconciliation of 20 Nov 2026"
    for words in (
        "+ Deposits                          0.00 USD",
        "= Ours                            937.00 USD",
        "Supplier says                     955.00 USD",
        "Difference                         18.00 USD",
        "1 orders matched, 45.00 USD",
        "Differences: 2",
        "The supplier’s error, reported:",
        f"Prepared  2026-11-21 02:00:00 UTC  {finance}",
        f"Signed    2026-11-21 02:00:00 UTC  {manager}",
        signed.content_hash,
        signed.content["matched"]["sha256"],
    ):
        assert words in text, words
    assert PASTED.replace("-", "") not in text.replace("-", "").replace("\n", " ")
    assert max(map(len, lines)) <= COLUMNS
    assert report_pdf(signed, [], intact=True) == pdf
    assert "THESE FIGURES ARE NOT THOSE" in "\n".join(text_of(report_pdf(signed, [], intact=False)))


def test_a_day_of_many_differences_goes_over_as_many_pages_as_it_needs(signed: SignOff) -> None:
    signed.content["differences"] *= 40
    pdf = report_pdf(signed, [], intact=False)
    pages = [line for line in text_of(pdf) if " page " in line]
    assert len(pages) > 5
    assert pages[-1].endswith(f"page {len(pages)} of {len(pages)}")
    assert f"/Count {len(pages)}".encode() in pdf


@pytest.mark.requirement("R93")
def test_whoever_has_the_json_can_check_the_hash_without_this_program(signed: SignOff, auditor: User) -> None:
    client = Client()
    client.force_login(auditor)
    assert hashlib.sha256(client.get(f"{PAGE}?format=json").content).hexdigest() == signed.content_hash
    answer = client.get(f"{PAGE}?format=pdf")
    assert (answer["Content-Type"], answer.content) == ("application/pdf", report_pdf(signed, [], intact=True))
    assert answer["Content-Disposition"] == f'attachment; filename="signed-report-alpha-USD-{DAY}.pdf"'
    table = list(csv.reader(b"".join(client.get(f"{PAGE}?format=csv")).decode().splitlines()))
    assert signed.content_hash in table[0][0]
    assert [row[3] for row in table[2:9]] == ["1000.00", "0.00", "63.00", "0.00", "937.00", "955.00", "18.00"]
    assert [row[1] for row in table[10:]] == ["ORD-2", "ORD-3"]
    assert AuditEvent.objects.filter(action="export.made", actor=auditor).count() == 3


def test_before_anybody_signed_there_is_no_file(scene: Scene, finance: User) -> None:
    scene.buy("ORD-1")
    scene.run()
    client = Client()
    client.force_login(finance)
    for wanted in ("pdf", "csv", "json"):
        assert "Nobody signed this day yet" in client.get(f"{PAGE}?format={wanted}").content.decode()
    assert not AuditEvent.objects.filter(action="export.made").exists()


def test_letters_that_the_fonts_lack_lose_their_marks() -> None:
    assert plain("Zoë Łuczak − “ok” Ş") == "Zoë ?uczak - “ok” S".encode("cp1252")
