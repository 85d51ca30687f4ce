# ruff: noqa: F811 (fixtures are taken by their names)
"""What is erased for good takes two administrators for a key, and leaves the last four and the record of a code."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.claims.models import Claim
from procurement.claims.services.cases import open_case
from procurement.custody import erasing
from procurement.custody.models import Destruction
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.orders.models import Code, Order
from procurement.orders.policies import check_not_erased
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from procurement.vault import Purpose, open_sealed
from procurement.vault.models import CryptoKey
from procurement.vault.rotation import rotate
from tests.claims.conftest import account, make_code, make_order  # noqa: F401 - fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("R62", "R101")]
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SEPTEMBER = datetime(2026, 9, 12, tzinfo=UTC)
REASON = "The customers asked for it"


@pytest.fixture(autouse=True)
def november() -> Any:
    with time_machine.travel(NOW, tick=True):
        yield


@pytest.fixture
def order(account: SupplierAccount, make_order: Callable[..., Order]) -> Order:
    return make_order(account)


@pytest.fixture
def codes(order: Order, make_code: Callable[..., Code]) -> list[Code]:
    """Two of September, one of November, all handed over."""
    months = (SEPTEMBER, SEPTEMBER, NOW)
    return [
        make_code(order, f"ABCD-EFGH-{1000 + at}", stored_at=stored, state="handed_over", customer_order=str(at))
        for at, stored in enumerate(months)
    ]


def key_of(month: str, version: int = 1) -> CryptoKey:
    return CryptoKey.objects.get(purpose="code", period=month, version=version)


def text(code: Code) -> str:
    code = Code.objects.get(pk=code.pk)
    return open_sealed(code.sealed, purpose=Purpose.CODE, context=code.context()).expose()


def nothing_is_erased(codes: list[Code]) -> bool:
    return [text(code) for code in codes] == [f"ABCDEFGH{1000 + at}" for at in range(len(codes))]


def sent(reason: str = "") -> dict[str, str]:
    return {"reason": reason, "once": uuid.uuid4().hex}


def claim_about(code: Code, support: User, state: str) -> Claim:
    case = open_case(by=support, order=code.order, code=code, error_text="Not valid")
    return Claim.objects.create(
        case=case, code=code, account=code.account, reason="invalid", state=state, method="api",
        window_ends=timezone.now() + timedelta(days=7), drafted_by=support, drafted_at=timezone.now(),
    )  # fmt: skip


def test_a_past_month_is_erased_by_two_administrators_and_the_others_open(
    codes: list[Code], admin: User, second_admin: User
) -> None:
    row = erasing.propose_destruction(by=admin, key=key_of("2026-09"), reason=REASON)
    assert (row.values, nothing_is_erased(codes)) == (2, True)

    erasing.confirm_destruction(by=second_admin, row=row)

    erased = list(Code.objects.filter(pk__in=[code.pk for code in codes[:2]]).order_by("position"))
    assert [(code.is_erased, code.last4, code.state) for code in erased] == [
        (True, "1000", "handed_over"),
        (True, "1001", "handed_over"),
    ]
    assert text(codes[2]) == "ABCDEFGH1002"
    assert (key_of("2026-09").status, bytes(key_of("2026-09").wrapped_dek)) == ("destroyed", b"")
    event = AuditEvent.objects.get(action="key.destroyed")
    assert (event.actor, event.facts["count"], event.facts["key"]) == (second_admin, 2, "code key 1 of 2026-09")
    with pytest.raises(Refused, match="was erased"):
        check_not_erased(erased[0])


def test_all_keys_of_a_month_go_with_it(codes: list[Code], admin: User, second_admin: User) -> None:
    rotate(Purpose.CODE, progress=lambda done, of: None, wait=None)
    row = erasing.propose_destruction(by=admin, key=key_of("2026-09", 2), reason=REASON)

    erasing.confirm_destruction(by=second_admin, row=row)

    found = CryptoKey.objects.filter(purpose="code", period="2026-09").values_list("status", flat=True)
    assert list(found) == ["destroyed", "destroyed"]


def test_a_retired_key_that_seals_nothing_goes_alone_after_a_day(
    codes: list[Code], admin: User, second_admin: User
) -> None:
    rotate(Purpose.CODE, progress=lambda done, of: None, wait=None)
    with pytest.raises(Refused, match="retired less than a day ago"):
        erasing.propose_destruction(by=admin, key=key_of("2026-11"), reason=REASON)
    with time_machine.travel(NOW + timedelta(days=2)):
        row = erasing.propose_destruction(by=admin, key=key_of("2026-11"), reason=REASON)
        erasing.confirm_destruction(by=second_admin, row=row)

    assert row.values == 0
    assert nothing_is_erased(codes)
    assert (key_of("2026-11").status, key_of("2026-11", 2).status) == ("destroyed", "active")


def test_nobody_confirms_their_own_proposal(codes: list[Code], admin: User) -> None:
    row = erasing.propose_destruction(by=admin, key=key_of("2026-09"), reason=REASON)
    with pytest.raises(NotAllowed, match="another administrator confirms it"):
        erasing.confirm_destruction(by=admin, row=row)
    with pytest.raises(IntegrityError, match="a_key_is_destroyed_by_two_people"), transaction.atomic():
        Destruction.objects.filter(pk=row.pk).update(decided_by=admin, decided_at=timezone.now(), state="confirmed")
    assert nothing_is_erased(codes)


def test_a_key_that_is_needed_is_not_destroyed(codes: list[Code], admin: User) -> None:
    with pytest.raises(Refused, match="seals new values"):
        erasing.propose_destruction(by=admin, key=key_of("2026-11"), reason=REASON)
    CryptoKey.objects.filter(pk=key_of("2026-11").pk).update(status="decrypt_only", retired_at=SEPTEMBER)
    with pytest.raises(Refused, match="1 values still need"):
        erasing.propose_destruction(by=admin, key=key_of("2026-11"), reason=REASON)
    with pytest.raises(Refused, match="at least 10 characters"):
        erasing.propose_destruction(by=admin, key=key_of("2026-09"), reason="old")
    assert not Destruction.objects.exists()
    assert nothing_is_erased(codes)


def test_another_count_than_was_shown_is_not_erased(
    codes: list[Code], admin: User, second_admin: User, make_code: Callable[..., Code]
) -> None:
    row = erasing.propose_destruction(by=admin, key=key_of("2026-09"), reason=REASON)
    late = make_code(codes[0].order, "ABCD-EFGH-1003", stored_at=SEPTEMBER)

    with pytest.raises(StaleState, match="proposed for 2 values and now takes 3 along"):
        erasing.confirm_destruction(by=second_admin, row=row)

    row.refresh_from_db()
    assert (row.state, nothing_is_erased([*codes, late])) == ("proposed", True)
    erasing.decline_destruction(by=second_admin, row=row)
    assert erasing.propose_destruction(by=second_admin, key=key_of("2026-09"), reason=REASON).values == 3


def test_a_month_with_an_undecided_claim_is_not_erased(codes: list[Code], admin: User, support: User) -> None:
    claim_about(codes[0], support, "filed")
    with pytest.raises(Refused, match="1 claims about codes of 2026-09 are not decided"):
        erasing.propose_destruction(by=admin, key=key_of("2026-09"), reason=REASON)
    assert nothing_is_erased(codes)


def test_one_code_is_erased_and_its_last_four_stay(codes: list[Code], admin: User) -> None:
    erasing.erase_code(by=admin, code=codes[0], reason=REASON)

    code = Code.objects.get(pk=codes[0].pk)
    assert (code.is_erased, code.last4, bytes(code.fingerprint)) == (True, "1000", bytes(codes[0].fingerprint))
    assert AuditEvent.objects.get(action="code.erased").reason == REASON
    assert text(codes[1]) == "ABCDEFGH1001"
    with pytest.raises(Refused, match="erased already"):
        erasing.erase_code(by=admin, code=code, reason=REASON)


def test_stock_and_claimed_codes_are_not_erased(codes: list[Code], admin: User, support: User) -> None:
    Code.objects.filter(pk=codes[0].pk).update(state="stored")
    codes[0].refresh_from_db()
    with pytest.raises(Refused, match="was not handed over"):
        erasing.erase_code(by=admin, code=codes[0], reason=REASON)
    claim_about(codes[1], support, "draft")
    with pytest.raises(Refused, match="A claim about this code is not decided"):
        erasing.erase_code(by=admin, code=codes[1], reason=REASON)
    with pytest.raises(NotAllowed):
        erasing.erase_code(by=support, code=codes[2], reason=REASON)
    assert nothing_is_erased(codes)


def test_the_room_shows_what_seals_what_and_leads_through_an_erasure(
    codes: list[Code], admin: User, second_admin: User
) -> None:
    one, other = Client(), Client()
    one.force_login(admin)
    other.force_login(second_admin)
    page = reverse("custody:key_detail", args=[key_of("2026-09").pk])
    assert "2026-09, version 1" in one.get(reverse("custody:key_list")).content.decode()
    assert "2 codes would be erased" in one.get(page).content.decode()
    in_use = one.get(reverse("custody:key_detail", args=[key_of("2026-11").pk])).content.decode()
    assert ("seals new values" in in_use, "Nothing was changed" in in_use) == (True, False)

    answer = one.post(reverse("custody:key_propose", args=[key_of("2026-09").pk]), sent(REASON))
    assert answer.status_code == 303
    row = Destruction.objects.get()
    assert "Destroy it for good" not in one.get(page).content.decode()
    assert "with 2 codes" in other.get(reverse("custody:key_list")).content.decode()
    assert "Destroy it for good" in other.get(page).content.decode()
    assert other.post(reverse("custody:destruction_confirm", args=[row.pk]), sent()).status_code == 303

    assert "is destroyed already" in other.get(page).content.decode()
    order_page = one.get(reverse("orders:order_detail", args=[codes[0].order_id])).content.decode()
    assert order_page.count(">Erased<") == 2
    erase = reverse("custody:code_erase", args=[codes[2].pk])
    assert "Erase it for good" in one.get(erase).content.decode()
    assert one.post(erase, sent("short")).status_code == 422
    assert one.post(erase, sent(REASON)).status_code == 303
    assert Code.objects.get(pk=codes[2].pk).is_erased


def test_an_unfinished_rotation_and_an_empty_room_are_said(codes: list[Code], admin: User) -> None:
    client = Client()
    client.force_login(admin)
    CryptoKey.objects.filter(pk=key_of("2026-09").pk).update(status="decrypt_only", retired_at=NOW)
    listed = client.get(reverse("custody:key_list")).content.decode()
    assert "2 of 3 values are still under a key that was replaced" in listed
    CryptoKey.objects.all().delete()
    assert "There are no keys yet." in client.get(reverse("custody:key_list")).content.decode()
