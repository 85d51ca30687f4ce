"""A claim over real HTTP against the supplier sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from procurement.claims.models import Claim
from procurement.claims.services import cases, filing
from procurement.orders.models import Code, Order
from procurement.staff.models import User
from procurement.suppliers import services as suppliers
from procurement.suppliers.models import SupplierAccount
from tests.fixtures_sandbox import KEYS, SandboxServer, sandbox_server

__all__ = ["sandbox_server"]


@pytest.fixture
def bought(
    sandbox_server: SandboxServer, db: None, make_order: Callable[..., Order], make_code: Callable[..., Code]
) -> Code:
    """One code bought at the sandbox and kept as ours; the supplier says it is for another region than we ordered."""
    sandbox_server.reset()
    with sandbox_server.api("psnb2b") as api:
        placed: dict[str, Any] = api.post("orders", json={"region": "US", "denomination": 50, "quantity": 1}).json()
        for _ in range(20):
            sandbox_server.set_clock(offset_seconds=3600)
            sandbox_server.advance()
            answer = api.get(f"orders/{placed['id']}/codes")
            if answer.status_code == 200:
                break
        text = answer.json()["codes"][0]["code"]
    account = suppliers.create_account(
        by=None,
        code="psnb2b",
        name="PSN:B2B",
        dialect="psnb2b",
        base_url=sandbox_server.url("psnb2b"),
        settlement_currency="USD",
    )
    suppliers.set_api_key(by=None, account=account, key=KEYS["psnb2b"])
    account = SupplierAccount.objects.get(pk=account.pk)
    return make_code(make_order(account, remote_id=placed["id"]), text, region="TR", customer_order="10421")


@pytest.mark.requirement("R67", "R71")
def test_the_sandbox_takes_a_claim_once(support: User, bought: Code) -> None:
    case = cases.open_case(by=support, order=bought.order, code=bought, error_text="Not for this region")
    claim = filing.file_claim(by=support, case=case, reason="wrong_region")
    assert (claim.state, claim.remote_id[:4]) == ("filed", "clm_")
    Claim.objects.update(state="declined")
    Code.objects.update(state="invalid")
    case.refresh_from_db()
    second = filing.file_claim(by=support, case=case, reason="wrong_region")
    assert (second.state, second.answer) == ("refused", filing.SENTENCES["already_claimed"])
