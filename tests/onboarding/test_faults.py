"""The probe can fail: what a supplier does wrong turns exactly the clause it breaks to contradicted."""

from __future__ import annotations

from typing import Any

import pytest

from procurement.onboarding.models import ProbeRun
from tests.onboarding.conftest import probed
from tests.orders.conftest import Shop

pytestmark = pytest.mark.django_db(transaction=True)


def contradicted(run: ProbeRun) -> dict[str, str]:
    return dict(run.results.filter(verdict="contradicted").values_list("clause", "seen"))


@pytest.mark.requirement("R106", "R107")
@pytest.mark.parametrize(
    ("code", "fault", "how", "clause", "seen"),
    [
        ("alpha", "wrong_amount", {}, "order_price", "charged 4.50 USD, expected 3.50 USD"),
        ("alpha", "balance_off", {"count": 2}, "balance_falls", "fell by 3.51 USD, the order cost 3.50 USD"),
        ("alpha", "bad_signature", {}, "signature", "1 messages came whose signature does not fit"),
        ("alpha", "old_timestamp", {}, "event_time", "Stamped 60 min before it came; 5 min are allowed"),
        ("alpha", "truncated_code", {}, "code_form", "invalid"),
        ("alpha", "wrong_region_code", {"region": "TR"}, "code_form", "wrong region"),
        ("psnb2b", "truncated_json", {"where": "read"}, "json", "200, the answer was garbled"),
        ("psnb2b", "tier_moved", {}, "order_price", "tier discount 2.5 %"),
    ],
)
def test_a_fault_contradicts_the_clause_it_breaks(
    shop: Shop, code: str, fault: str, how: dict[str, Any], clause: str, seen: str
) -> None:
    shop.sandbox.arm(code, fault, **how)

    run = probed(shop, code)

    assert run.state == "failed"
    assert list(contradicted(run)) == [clause]
    assert seen in contradicted(run)[clause]
