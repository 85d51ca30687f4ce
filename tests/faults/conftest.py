"""The runner on the test's own database; the bell is lost in all of these runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.running import Runner
from tests.fixtures_sandbox import SandboxServer, sandbox_server

__all__ = ["sandbox_server"]


@pytest.fixture
def runner(transactional_db: None, sandbox_server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runner]:
    monkeypatch.setattr("procurement.work.services.ring", lambda: None)
    made = Runner(sandbox_server)
    yield made
    made.leave()
