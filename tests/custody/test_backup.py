# ruff: noqa: F811 (fixtures are taken by their names)
"""A month that was destroyed is gone from older backups too, once the master key before is; the other months open there."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from procurement.custody import erasing
from procurement.orders.models import Code, Order
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from procurement.vault import KeyUnavailable, Purpose, SealBroken, keyring, open_sealed
from procurement.vault.models import CryptoKey
from tests.claims.conftest import account, make_code, make_order  # noqa: F401 - fixtures
from tests.vault.test_months import OCTOBER, SEPTEMBER

NEW_MASTER = base64.b64encode(b"another-master-key-of-32-bytes!!").decode()


def text(code: Code) -> str:
    """As a process reads it that has just started."""
    keyring.forget()
    code = Code.objects.get(pk=code.pk)
    return open_sealed(code.sealed, purpose=Purpose.CODE, context=code.context()).expose()


def dump(path: Path, *models: str) -> str:
    call_command("dumpdata", *models, output=str(path))
    return str(path)


@pytest.mark.django_db
@pytest.mark.requirement("R62", "R101")
def test_a_destroyed_month_opens_in_no_backup_and_the_others_do(
    account: SupplierAccount,
    make_order: Callable[..., Order],
    make_code: Callable[..., Code],
    admin: User,
    second_admin: User,
    settings: Any,
    tmp_path: Path,
) -> None:
    order = make_order(account)
    september, october = (
        make_code(order, code, stored_at=at, state="handed_over", customer_order=code)
        for code, at in (("SEPT-SEPT-SEPT", SEPTEMBER), ("OCTO-OCTO-OCTO", OCTOBER))
    )
    backup = dump(tmp_path / "backup.json", "orders.Code", "vault.CryptoKey")

    # As docs/operations.md says: another master key, the month destroyed, the table of keys kept as it is now.
    settings.MASTER_KEY, settings.MASTER_KEY_OTHER = NEW_MASTER, settings.MASTER_KEY
    keyring.forget()
    call_command("rewrap_keys")
    settings.MASTER_KEY_OTHER = ""
    key = CryptoKey.objects.get(purpose="code", period="2026-09")
    row = erasing.propose_destruction(by=admin, key=key, reason="The customers asked for it")
    erasing.confirm_destruction(by=second_admin, row=row)
    keys_of_now = dump(tmp_path / "keys.json", "vault.CryptoKey")

    call_command("loaddata", backup, verbosity=0)
    assert [bytes(one.sealed) != b"" for one in Code.objects.all()] == [True, True]
    for code in (september, october):
        with pytest.raises(KeyUnavailable, match="is not the one that the stored keys were wrapped with"):
            text(code)

    call_command("loaddata", keys_of_now, verbosity=0)
    with pytest.raises(SealBroken, match="its key was destroyed"):
        text(september)
    assert text(october) == "OCTOOCTOOCTO"
