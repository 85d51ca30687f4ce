# ruff: noqa: F811 (fixtures are taken by their names)
"""Keys are replaced while the desk goes on: nothing is lost, nothing is sealed twice, an interruption is made good."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import models
from django.utils import timezone

from procurement import faultpoints
from procurement.errors import Refused
from procurement.orders.models import Code, Order
from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.services import set_webhook_secret
from procurement.vault import Purpose, keyring, open_sealed, rotation, seal
from procurement.vault.columns import SEALED_COLUMNS
from procurement.vault.models import CryptoKey
from procurement.vault.rotation import left_over, rotate
from tests.claims.conftest import account, make_code, make_order  # noqa: F401 - fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("R61", "R101")]
MakeCode = Callable[..., Code]


class Died(BaseException):
    """Stands for kill -9: nothing of the program catches it."""


def texts() -> list[str]:
    rows = Code.objects.order_by("position")
    return [open_sealed(code.sealed, purpose=Purpose.CODE, context=code.context()).expose() for code in rows]


def versions() -> list[int]:
    """The version of the key each code is sealed with."""
    known = dict(CryptoKey.objects.values_list("pk", "version"))
    return [known[int.from_bytes(bytes(code.sealed)[3:7], "big")] for code in Code.objects.order_by("position")]


def run(
    purpose: Purpose = Purpose.CODE, *, wait: Callable[[float], object] = lambda seconds: None
) -> rotation.Rotation:
    """A rotation whose waiting time passes at once."""

    with time_machine.travel(timezone.now(), tick=False) as clock:

        def pass_by(seconds: float) -> None:
            wait(seconds)
            clock.shift(seconds)

        return rotate(purpose, progress=lambda done, of: None, wait=pass_by)


@pytest.fixture
def order(account: SupplierAccount, make_order: Callable[..., Order]) -> Order:
    return make_order(account)


@pytest.fixture
def seven(order: Any, make_code: MakeCode, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Seven codes, sealed anew three at a time."""
    monkeypatch.setattr(rotation, "BATCH", 3)
    for number in range(7):
        make_code(order, f"ABCD-EFGH-{1000 + number}")
    return texts()


def test_every_value_is_sealed_anew_and_reads_as_before(seven: list[str]) -> None:
    before = [bytes(code.sealed) for code in Code.objects.order_by("position")]

    done = run()

    month = f"{timezone.now():%Y-%m}"
    assert (done.keys, done.sealed, done.broken) == ([f"code key 2 of {month}"], 7, [])
    assert (texts(), versions()) == (seven, [2] * 7)
    assert not {bytes(code.sealed) for code in Code.objects.all()} & set(before)
    assert list(CryptoKey.objects.filter(purpose="code").order_by("version").values_list("status", flat=True)) == [
        "decrypt_only",
        "active",
    ]


@pytest.mark.parametrize("point", ["vault.key_replaced", "vault.batch_sealed"])
def test_a_run_that_died_is_finished_by_the_next_and_nothing_is_sealed_twice(
    seven: list[str], point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(name: str) -> None:
        if name == point:
            raise Died

    monkeypatch.setattr(faultpoints, "hook", die)
    with pytest.raises(Died):
        run()
    monkeypatch.setattr(faultpoints, "hook", None)
    done_before = versions().count(2)
    assert (texts(), done_before) == (seven, 0 if point == "vault.key_replaced" else 3)

    done = run()

    assert done.sealed == 7 - done_before
    assert (texts(), versions()) == (seven, [2] * 7)
    assert CryptoKey.objects.filter(purpose="code").count() == 2


def test_what_another_process_still_seals_with_the_key_before_is_sealed_anew_too(
    seven: list[str], order: Any, make_code: MakeCode
) -> None:
    old = CryptoKey.objects.get(purpose="code")
    _, dek = keyring.active_key(Purpose.CODE, old.period)

    def late(seconds: float) -> None:
        assert 0 < seconds <= keyring.TAKEN_UP_AFTER
        plain = keyring.active_key
        with pytest.MonkeyPatch.context() as patch:
            stale = {Purpose.CODE: (old.pk, dek)}
            patch.setattr(keyring, "active_key", lambda purpose, *month: stale.get(purpose) or plain(purpose, *month))
            late_code = make_code(order, "LATE-LATE-LATE")
            key_id = int.from_bytes(bytes(late_code.sealed)[3:7], "big")
        assert key_id == old.pk

    assert run(wait=late).sealed == 8
    assert (texts()[-1], versions()) == ("LATELATELATE", [2] * 8)


def test_a_value_that_somebody_changes_meanwhile_keeps_their_change(
    seven: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The desk writes between reading and writing: the rotation does not overwrite it, and meets it in the next pass."""
    first = Code.objects.order_by("pk").first()
    assert first is not None
    plain_seal = rotation.seal_anew
    visits: list[int] = []

    def meddle(blob: Any, **place: Any) -> Any:
        if not visits:
            visits.append(1)
            changed = seal("CHANGED-12345", purpose=Purpose.CODE, context=first.context())
            Code.objects.filter(pk=first.pk).update(sealed=changed)
        return plain_seal(blob, **place)

    monkeypatch.setattr(rotation, "seal_anew", meddle)
    run()

    code = Code.objects.get(pk=first.pk)
    assert open_sealed(code.sealed, purpose=Purpose.CODE, context=code.context()).expose() == "CHANGED-12345"
    assert left_over(Purpose.CODE) == 0


def test_a_value_that_does_not_open_is_named_and_left(seven: list[str]) -> None:
    code = Code.objects.order_by("position")[4]
    swapped = bytes(Code.objects.order_by("position")[5].sealed)
    Code.objects.filter(pk=code.pk).update(sealed=swapped)
    out = StringIO()

    with time_machine.travel(timezone.now(), tick=False) as clock, pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.sleep", clock.shift)
        with pytest.raises(CommandError, match=r"1 values do not open\. They were left as they are"):
            call_command("rotate_keys", "code", stdout=out, stderr=StringIO())

    assert f"orders.Code.sealed of {code.pk}: " in out.getvalue()
    assert "6 values made anew" in out.getvalue()
    assert bytes(Code.objects.get(pk=code.pk).sealed) == swapped


def test_credentials_turn_too(account: SupplierAccount) -> None:
    set_webhook_secret(by=None, account=account, secret="whsec_one")
    set_webhook_secret(by=None, account=account, secret="whsec_two")

    assert run(Purpose.WEBHOOK).sealed >= 2

    account.refresh_from_db()
    assert account.open_webhook_secret().expose() == "whsec_two"
    assert left_over(Purpose.WEBHOOK) == 0


@pytest.mark.parametrize("purpose", [Purpose.BIDX, Purpose.AUDIT_MAC])
def test_what_seals_nothing_is_refused(purpose: Purpose) -> None:
    with pytest.raises(Refused, match=r"there is nothing to rotate\. Nothing was changed"):
        run(purpose)
    assert not CryptoKey.objects.filter(purpose=purpose.value, version=2).exists()


def test_an_unknown_purpose_is_one_sentence() -> None:
    with pytest.raises(CommandError, match=r"Nothing is sealed for codes\. Nothing was changed\. There are"):
        call_command("rotate_keys", "codes")
    assert not CryptoKey.objects.exists()


def test_no_sealed_column_is_forgotten() -> None:
    """A column that is missing in the list would keep its old key for ever."""
    named = {str(column) for column in SEALED_COLUMNS}
    found = {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.BinaryField) and "sealed" in field.name
    }
    assert found == named
