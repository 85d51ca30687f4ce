"""A probe worked to its end in one process: due work, the sandbox's webhooks, and time that passes when nothing else does."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from procurement.onboarding.models import ProbeRun
from procurement.onboarding.services import start_probe
from procurement.work.runner import run_due
from tests.fixtures_sandbox import SandboxServer, sandbox_server
from tests.orders.conftest import Shop, open_shop
from tests.world import deliver_events

__all__ = ["sandbox_server"]


@pytest.fixture
def shop(transactional_db: None, sandbox_server: SandboxServer) -> Shop:
    """With the whole catalogue: a probe says how much of it there is."""
    return open_shop(sandbox_server, plausible=True)


def work_probe(shop: Shop, run: ProbeRun, passed: timedelta = timedelta()) -> ProbeRun:
    """Work a run to its end, `passed` from now; the clock moves on by two seconds whenever nothing is due."""
    for _ in range(100):
        with time_machine.travel(timezone.now() + passed):
            done = run_due()
            heard = deliver_events(shop)
            run.refresh_from_db()
        if not run.is_running:
            return run
        passed += timedelta() if done or heard else timedelta(seconds=2)
    raise AssertionError([(step.name, step.outcome, step.seen) for step in run.steps.all()])


def probed(shop: Shop, code: str, *, read_only: bool = False) -> ProbeRun:
    """A run at one account, ended."""
    account = shop.accounts[code]
    return work_probe(shop, start_probe(by=None, account=account, read_only=read_only, patience=10))
