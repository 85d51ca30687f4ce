# ruff: noqa: F811 (fixtures are taken by their names)
"""Codes are sealed under a key for each month of their delivery, so that a month can be erased with its keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from procurement.orders.models import Code, Order
from procurement.suppliers.models import SupplierAccount
from procurement.vault import Purpose, SealBroken, keyring, month_of, open_sealed
from procurement.vault.models import CryptoKey
from procurement.vault.rotation import rotate, values_by_key
from tests.claims.conftest import account, make_code, make_order  # noqa: F401 - fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("R61")]
SEPTEMBER = datetime(2026, 9, 30, 23, 59, 59, tzinfo=UTC)
OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)


@pytest.fixture
def codes(
    account: SupplierAccount, make_order: Callable[..., Order], make_code: Callable[..., Code]
) -> dict[str, Code]:
    """One code of the last second of September (UTC), one of the first of October."""
    order = make_order(account)
    return {
        "2026-09": make_code(order, "SEPT-SEPT-SEPT", stored_at=SEPTEMBER),
        "2026-10": make_code(order, "OCTO-OCTO-OCTO", stored_at=OCTOBER),
    }


def text(code: Code) -> str:
    fresh = Code.objects.get(pk=code.pk)
    return open_sealed(fresh.sealed, purpose=Purpose.CODE, context=fresh.context()).expose()


def period_of(code: Code) -> str:
    return CryptoKey.objects.get(pk=int.from_bytes(bytes(Code.objects.get(pk=code.pk).sealed)[3:7], "big")).period


def seal_anew() -> int:
    return rotate(Purpose.CODE, progress=lambda done, of: None, wait=None).sealed


def test_a_month_is_that_of_utc() -> None:
    assert month_of(datetime.fromisoformat("2026-10-01T01:30:00+02:00")) == "2026-09"


def test_each_month_has_a_key_of_its_own(codes: dict[str, Code]) -> None:
    assert {month: period_of(code) for month, code in codes.items()} == {month: month for month in codes}
    assert values_by_key() == {key.pk: 1 for key in CryptoKey.objects.filter(purpose="code")} | {
        key.pk: 1 for key in CryptoKey.objects.filter(purpose="supplier_api")
    }


def test_a_destroyed_months_codes_open_nowhere_and_the_others_do(codes: dict[str, Code]) -> None:
    kept = bytes(codes["2026-09"].sealed)

    keyring.destroy(CryptoKey.objects.filter(period="2026-09").values_list("pk", flat=True))

    with pytest.raises(SealBroken, match="its key was destroyed"):
        open_sealed(kept, purpose=Purpose.CODE, context=codes["2026-09"].context())
    assert text(codes["2026-10"]) == "OCTOOCTOOCTO"
    assert bytes(CryptoKey.objects.get(period="2026-09").wrapped_dek) == b""
    keyring.verify_master_key()
    assert keyring.rewrap(again=True) == CryptoKey.objects.exclude(status="destroyed").count()


@pytest.mark.django_db(transaction=True)
def test_another_process_notices_within_a_minute_that_a_key_was_destroyed(
    codes: dict[str, Code], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert text(codes["2026-09"]) == "SEPTSEPTSEPT"
    key = CryptoKey.objects.filter(period="2026-09")
    key.update(status="destroyed", wrapped_dek=b"", destroyed_at=OCTOBER)
    later = keyring.time.monotonic() + keyring.TAKEN_UP_AFTER + 1
    monkeypatch.setattr(keyring.time, "monotonic", lambda: later)

    with pytest.raises(SealBroken, match="its key was destroyed"):
        text(codes["2026-09"])


def test_a_rotation_keeps_each_code_in_its_month(codes: dict[str, Code]) -> None:
    assert seal_anew() == 2

    assert {month: period_of(code) for month, code in codes.items()} == {month: month for month in codes}
    assert [text(code) for code in codes.values()] == ["SEPTSEPTSEPT", "OCTOOCTOOCTO"]
    found = CryptoKey.objects.filter(purpose="code").order_by("period", "version")
    assert [(key.period, key.version, key.status) for key in found] == [
        ("2026-09", 1, "decrypt_only"),
        ("2026-09", 2, "active"),
        ("2026-10", 1, "decrypt_only"),
        ("2026-10", 2, "active"),
    ]


def test_a_key_moved_to_another_month_does_not_unwrap(codes: dict[str, Code]) -> None:
    CryptoKey.objects.filter(period="2026-09").update(period="2026-08")
    keyring.forget()
    with pytest.raises(SealBroken, match="its key was changed"):
        text(codes["2026-09"])


def test_a_month_that_was_erased_gets_another_key_if_a_code_comes_late(
    codes: dict[str, Code], make_code: Callable[..., Code]
) -> None:
    keyring.destroy(CryptoKey.objects.filter(period="2026-09").values_list("pk", flat=True))

    late = make_code(codes["2026-09"].order, "LATE-LATE-LATE", stored_at=SEPTEMBER - timedelta(days=1))

    assert text(late) == "LATELATELATE"
    assert CryptoKey.objects.get(period="2026-09", status="active").version == 2


def test_the_database_refuses_a_destroyed_key_that_still_opens(codes: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        CryptoKey.objects.filter(period="2026-09").update(status="destroyed", destroyed_at=OCTOBER)
    assert text(codes["2026-09"]) == "SEPTSEPTSEPT"
