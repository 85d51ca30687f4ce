# ruff: noqa: F811 (fixtures are taken by their names)
"""kill -9 while a delivery file is fetched: its record stands before any code is opened, and there is never a second file."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from procurement.audit.models import AuditEvent
from procurement.errors import DomainError
from procurement.orders.custody import DeliveryFile
from procurement.orders.models import Code, Order
from procurement.orders.services import handing_over
from procurement.staff.models import User
from procurement.vault import Secret
from procurement.vault.passphrase import open_with_passphrase
from tests.claims.conftest import account, make_code, make_order  # noqa: F401 - fixtures
from tests.faults.forking import in_a_child
from tests.orders.revealing import plain

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.requirement("R65")]
PASSPHRASE = Secret("correct horse battery staple")


def fetch(by: User, file: DeliveryFile) -> bytes:
    return handing_over.fetch_file(by=by, file=DeliveryFile.objects.get(pk=file.pk), passphrase=PASSPHRASE)


# Killed where the record is not committed yet, where it is and no code is opened, and where the file was made and not sent.
@pytest.mark.parametrize(
    ("step", "recorded"), [("hand_over_line", False), ("make_file", True), ("seal_with_passphrase", True)]
)
def test_killed_around_the_record_nothing_is_lost_and_no_second_file_is_made(
    buyer: User,
    manager: User,
    account: Any,
    make_order: Callable[..., Order],
    make_code: Callable[..., Code],
    step: str,
    recorded: bool,
) -> None:
    code = make_code(make_order(account), "TST0-7K3M-AA00")
    file = handing_over.request_file(
        by=buyer, order=code.order, customer_orders=["SHOP-1"], reason="Customers of today"
    )
    handing_over.release_file(by=manager, file=file)

    def die() -> int:
        setattr(handing_over, step, lambda *args: os.kill(os.getpid(), signal.SIGKILL))
        return len(fetch(buyer, file))

    ended = in_a_child(die)

    assert (ended.killed, ended.result) == (True, None)
    file.refresh_from_db()
    code.refresh_from_db()
    assert (file.state, code.state, file.sha256) == (
        ("fetched", "handed_over", "") if recorded else ("released", "stored", "")
    )
    assert AuditEvent.objects.filter(action="delivery_file.fetched").exists() == recorded
    assert not AuditEvent.objects.filter(action="delivery_file.made").exists()
    assert plain(code) == "TST07K3MAA00"

    if recorded:
        with pytest.raises(DomainError):
            fetch(buyer, file)
        file = handing_over.request_file(
            by=buyer, order=code.order, customer_orders=["SHOP-1"], reason="The server was killed"
        )
        handing_over.release_file(by=manager, file=file)
    assert b"SHOP-1,TST07K3MAA00" in open_with_passphrase(fetch(buyer, file), PASSPHRASE)
    assert AuditEvent.objects.filter(action="delivery_file.made").count() == 1
