"""The sandbox against the project's own OpenAPI files: whatever is sent, the answer keeps to the contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.fixtures_sandbox import KEYS, SandboxServer

OPENAPI = Path(__file__).resolve().parent.parent.parent / "docs" / "openapi"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]
alpha = schemathesis.openapi.from_path(OPENAPI / "alpha.yaml")
psnb2b = schemathesis.openapi.from_path(OPENAPI / "psnb2b.yaml")
bounded = settings(
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def open_sandbox(sandbox_server: SandboxServer) -> Iterator[SandboxServer]:
    sandbox_server.reset()
    sandbox_server.settings(limits_enabled=False)
    yield sandbox_server
    sandbox_server.reset()


@pytest.mark.requirement("R104", "R107")
@alpha.parametrize()
@bounded
def test_alpha_keeps_to_its_contract(case: schemathesis.Case, open_sandbox: SandboxServer) -> None:
    answer_fits(case, open_sandbox, "alpha")


@pytest.mark.requirement("R104", "R107")
@psnb2b.parametrize()
@bounded
def test_psnb2b_keeps_to_its_contract(case: schemathesis.Case, open_sandbox: SandboxServer) -> None:
    answer_fits(case, open_sandbox, "psnb2b")


def answer_fits(case: schemathesis.Case, sandbox: SandboxServer, supplier: str) -> None:
    case.call_and_validate(
        base_url=sandbox.url(supplier).rstrip("/"),
        headers={"Authorization": f"Bearer {KEYS[supplier]}"},
        checks=CHECKS,
    )


@pytest.mark.parametrize(
    ("supplier", "operations"),
    [
        ("alpha", ("/products", "/balance", "/orders", "/orders/{order_id}", "/orders/{order_id}/delivery")),
        ("psnb2b", ("/inventory", "/balance", "/orders/{id}", "/orders/{id}/codes")),
    ],
)
def test_a_delivered_order_keeps_to_its_contract(
    open_sandbox: SandboxServer, supplier: str, operations: tuple[str, ...]
) -> None:
    """The paths that made-up order ids never reach."""
    schema = {"alpha": alpha, "psnb2b": psnb2b}[supplier]
    open_sandbox.account(supplier, delivery_delay_seconds=0)
    body = {
        "alpha": {"product_id": "psn-gb-10", "quantity": 1, "client_order_id": "ORDER-9", "idempotency_key": "9"},
        "psnb2b": {"region": "GB", "denomination": 10, "quantity": 1},
    }[supplier]
    with open_sandbox.api(supplier) as client:
        placed = client.post("orders", json=body)
        schema["/orders"]["POST"].validate_response(placed)
        order_id = placed.json().get("order_id") or placed.json()["id"]
        for path in operations:
            answer = client.get(path.lstrip("/").replace("{order_id}", order_id).replace("{id}", order_id))
            assert answer.status_code == 200
            schema[path]["GET"].validate_response(answer)
