"""Codes that came outside the API: sealed as they arrive, unique, and stored only by two people (R37)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from django.urls import reverse

from procurement.audit.models import AuditEvent
from procurement.orders.models import Code, CodeImport, Delivery, ImportedCode, Order
from procurement.staff.models import User
from procurement.vault import Secret
from procurement.vault.passphrase import seal_with_passphrase
from procurement.web.once import new_token
from tests.claims.conftest import account, make_code, make_order
from tests.orders.revealing import plain, signed_in

__all__ = ["account", "make_code", "make_order"]
pytestmark = [pytest.mark.django_db, pytest.mark.requirement("R37")]
FIRST, SECOND = "TST07K3MAA01", "TST07K3MAA02"
TABLE = "code,region,denomination,serial\nTST0-7K3M-AA01,US,50.00,S-1\ntst0 7k3m aa02,,,\n"
SOURCE = "Mail from the supplier's support, ticket 5521"
PASSPHRASE = "correct horse battery staple"


@pytest.fixture
def order(account: Any, make_order: Callable[..., Order]) -> Order:
    """Paid, and nothing came."""
    return make_order(account, state="paid", quantity=2, total_cost_minor=9240)


def bring(person: User, order: Order, table: str = TABLE, **more: Any) -> Any:
    fields = {"once": new_token(), "table": table, "source": SOURCE, **more}
    return signed_in(person).post(reverse("orders:order_bring_in", args=[order.pk]), fields)


def decide(person: User, batch: CodeImport, how: str = "take_in") -> Any:
    return signed_in(person).post(reverse(f"orders:import_{how}", args=[batch.pk]), {"once": new_token()})


def nothing_came(order: Order) -> bool:
    order.refresh_from_db()
    return (order.state, order.delivered_quantity, Code.objects.filter(order=order).count()) == ("paid", 0, 0)


@pytest.fixture
def batch(buyer: User, order: Order) -> CodeImport:
    assert bring(buyer, order).status_code == 303
    return CodeImport.objects.get()


@pytest.mark.requirement("R61", "R62")
def test_codes_are_sealed_as_they_arrive_and_wait(buyer: User, auditor: User, order: Order, batch: CodeImport) -> None:
    assert nothing_came(order)
    assert [row.last4 for row in batch.codes.order_by("position")] == ["AA01", "AA02"]
    kept = b"".join(bytes(row.sealed) for row in ImportedCode.objects.all())
    page = signed_in(auditor).get(reverse("orders:import_detail", args=[batch.pk])).content.decode()
    record = str(list(AuditEvent.objects.values_list("facts", "reason", "subject_label")))
    for text in (FIRST, SECOND):
        assert text.encode() not in kept
        assert text not in (page + record).replace("-", "")


def test_another_person_takes_them_in(manager: User, order: Order, batch: CodeImport) -> None:
    assert decide(manager, batch).status_code == 303

    order.refresh_from_db()
    assert (order.state, order.delivered_quantity, order.available_at) == ("codes_stored", 2, batch.uploaded_at)
    codes = list(order.codes.select_related("order").order_by("position"))
    assert [plain(code) for code in codes] == [FIRST, SECOND]
    assert [(code.region, code.face_minor, code.serial) for code in codes] == [("US", 5000, "S-1"), ("", None, "")]
    assert Delivery.objects.get(order=order).checksum == batch.checksum
    assert ImportedCode.objects.count() == 0
    event = AuditEvent.objects.get(action="code_import.taken_in")
    assert (event.actor, event.facts["count"]) == (manager, 2)
    assert decide(manager, batch).status_code == 422
    assert order.codes.count() == 2


def test_nobody_takes_in_what_they_brought(manager: User, order: Order) -> None:
    bring(manager, order)
    batch = CodeImport.objects.get()

    assert decide(manager, batch).status_code == 403
    with pytest.raises(IntegrityError), transaction.atomic():
        CodeImport.objects.update(state="taken_in", decided_by=manager)

    assert nothing_came(order)


@pytest.mark.parametrize("who", ["buyer", "support", "finance", "admin", "auditor"])
def test_only_a_manager_takes_in(who: str, order: Order, batch: CodeImport, request: pytest.FixtureRequest) -> None:
    assert decide(request.getfixturevalue(who), batch).status_code == 403
    assert nothing_came(order)


def test_what_is_declined_is_gone_and_may_come_again(
    buyer: User, manager: User, order: Order, batch: CodeImport
) -> None:
    assert "waits in another import" in bring(buyer, order).content.decode()

    assert decide(manager, batch, "decline").status_code == 303

    assert ImportedCode.objects.count() == 0
    assert nothing_came(order)
    assert bring(buyer, order).status_code == 303


def test_an_encrypted_delivery_file_is_taken_with_its_passphrase(buyer: User, order: Order) -> None:
    blob = seal_with_passphrase(TABLE.encode(), Secret(PASSPHRASE))

    other = bring(buyer, order, "", file=SimpleUploadedFile("d.html", blob), passphrase=PASSPHRASE)
    assert "files that end in csv, tsv, txt, csdf" in other.content.decode()
    wrong = bring(buyer, order, "", file=SimpleUploadedFile("d.csdf", blob), passphrase="not the passphrase")
    assert (wrong.status_code, CodeImport.objects.count()) == (422, 0)
    right = bring(buyer, order, "", file=SimpleUploadedFile("d.csdf", blob), passphrase=PASSPHRASE)

    assert (right.status_code, CodeImport.objects.get().count) == (303, 2)


@pytest.mark.requirement("R61")
@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("code\nTST0-7K3M-AA01\nTST07K3MAA01\n", "Line 3 repeats the code of line 2"),
        ("code\nTST0-7K3M-AA09\n", "The code on line 2 is held already"),
        ("code\nTST0-7K3M-AA0\n", "Line 2 holds no code"),
        ("code\nREAL-7K3M-AA01\n", "line 2 is of the other environment"),
        ("pin\nTST0-7K3M-AA01\n", "one of them “code”"),
        ("code,denomination\nTST0-7K3M-AA01,much\n", "line 2 is no amount of USD"),
        ("code\nTST07K3MAA01\nTST07K3MAA02\nTST07K3MAA03\n", "lacks 2 codes and the file has 3"),
        ("", "lacks 2 codes and the file has 0"),
    ],
)
def test_a_file_that_is_wrong_anywhere_brings_nothing_and_is_not_shown_back(
    buyer: User, order: Order, account: Any, make_order: Any, make_code: Any, table: str, says: str
) -> None:
    make_code(make_order(account), "TST0-7K3M-AA09")

    answer = bring(buyer, order, table)

    text = answer.content.decode()
    assert (answer.status_code, says in text) == (422, True)
    assert (CodeImport.objects.count(), "7K3M" in text) == (0, False)


def test_a_code_that_comes_another_way_meanwhile_stops_the_whole_import(
    manager: User, order: Order, account: Any, make_order: Any, make_code: Any, batch: CodeImport
) -> None:
    make_code(make_order(account), SECOND)

    answer = decide(manager, batch)

    assert (answer.status_code, "came another way" in answer.content.decode()) == (422, True)
    assert nothing_came(order)
    batch.refresh_from_db()
    assert (batch.state, batch.codes.count()) == ("uploaded", 2)


def test_an_order_that_has_all_its_codes_takes_none(buyer: User, account: Any, make_order: Any) -> None:
    full = make_order(account)

    assert "takes no codes" in bring(buyer, full).content.decode()
    assert CodeImport.objects.count() == 0


def test_no_upload_touches_the_disk(settings: Any) -> None:
    assert settings.FILE_UPLOAD_HANDLERS == ["django.core.files.uploadhandler.MemoryFileUploadHandler"]


def test_a_manager_is_told_of_what_waits(manager: User, batch: CodeImport) -> None:
    text = signed_in(manager).get(reverse("overview")).content.decode()

    assert f"2 codes of {batch.order} came by hand" in text
