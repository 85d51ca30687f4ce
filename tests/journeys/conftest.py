"""A shop whose day can be moved on: our clock and the suppliers' together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time

import pytest
import time_machine

from procurement.work.runner import run_due
from tests.fixtures_sandbox import SandboxServer, sandbox_server
from tests.orders.conftest import Shop, shop
from tests.world import deliver_events

__all__ = ["sandbox_server", "shop"]


@dataclass
class Clock:
    """The time of the desk and of the sandbox, which stands `ahead` seconds of the machine's."""

    traveller: time_machine.Traveller
    sandbox: SandboxServer
    ahead: float

    def agree(self) -> None:
        self.sandbox.set_clock(offset_seconds=self.ahead)

    def move(self, seconds: float) -> None:
        self.traveller.shift(seconds)
        self.ahead += seconds
        self.agree()


@pytest.fixture
def clock(sandbox_server: SandboxServer) -> Iterator[Clock]:
    """Noon today (UTC), so that no test crosses midnight while it moves on."""
    real = datetime.now(UTC)
    noon = datetime.combine(real.date(), time(12), tzinfo=UTC)
    with time_machine.travel(noon) as traveller:
        yield Clock(traveller, sandbox_server, (noon - real).total_seconds())


@dataclass
class Floor:
    """The shop with its clock: `work` lets the loop do what falls due, and brings the suppliers' webhooks as they come."""

    shop: Shop
    clock: Clock

    def work(self, seconds: int, *, every: int = 5, webhooks: bool = True) -> None:
        for _ in range(0, seconds, every):
            run_due()
            if webhooks:
                assert set(deliver_events(self.shop)) <= {200}
            self.clock.move(every)


@pytest.fixture
def floor(clock: Clock, shop: Shop) -> Floor:
    clock.agree()
    return Floor(shop, clock)
