"""The simulations of this test process, each prepared once; and the orders' shop for the checker's own tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.orders.conftest import sandbox_server, shop
from tests.simulation.simulation import Simulation

__all__ = ["sandbox_server", "shop"]

_prepared: dict[tuple[str, ...], Simulation] = {}


@pytest.fixture
def simulate(transactional_db: None) -> Callable[..., Simulation]:
    """The simulation of these suppliers (both, if none is named)."""

    def prepared(*codes: str) -> Simulation:
        return _prepared.setdefault(codes, Simulation(*codes))

    return prepared
