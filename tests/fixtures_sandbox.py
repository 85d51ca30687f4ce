"""The supplier sandbox as a real server for tests: import `sandbox_server` from here into a conftest or test module."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parent.parent
KEYS = {"alpha": "sandbox-alpha-key-000000001", "psnb2b": "sandbox-psnb2b-key-00000001"}
SECRETS = {"alpha": "sandbox-alpha-webhook-secret-000001", "psnb2b": "sandbox-psnb2b-webhook-secret-00001"}
PATHS = {"alpha": "/alpha/v1/", "psnb2b": "/psnb2b/api/v1/"}


class SandboxServer:
    """A sandbox process on a free port with a database file of its own, and its controls."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="sandbox-")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.renew_control()
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def renew_control(self) -> None:
        """A connection of this process's own to the controls, after a fork."""
        self.control = httpx.Client(base_url=f"{self.base_url}/control/", timeout=30, trust_env=False)

    def start(self) -> None:
        command = [sys.executable, "-m", "procurement.sandbox", "serve", "--port", str(self.port)]
        environment = os.environ | {"SANDBOX_DB": str(Path(self.folder.name) / "sandbox.sqlite3")}
        command += ["--parent", str(os.getpid())]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
        for _ in range(600):
            try:
                self.control.get("health").raise_for_status()
                return
            except httpx.HTTPError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        raise RuntimeError("The sandbox server did not start.")

    def stop(self, how: int = signal.SIGTERM) -> None:
        """End the server; SIGTERM lets requests finish, SIGQUIT does not wait, SIGKILL fells its whole group."""
        if self.process is not None:
            if how == signal.SIGKILL:
                os.killpg(self.process.pid, how)
            else:
                self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def restart(self) -> None:
        self.stop(signal.SIGQUIT)
        self.start()

    def close(self) -> None:
        self.stop(signal.SIGQUIT)
        self.folder.cleanup()

    def url(self, supplier: str) -> str:
        """The base address of a supplier's API, with a slash at its end."""
        return self.base_url + PATHS[supplier]

    def api(self, supplier: str, key: str | None = None) -> httpx.Client:
        """A client of a supplier's API with its bearer key."""
        headers = {"Authorization": f"Bearer {key or KEYS[supplier]}", "Accept": "application/json"}
        return httpx.Client(base_url=self.url(supplier), headers=headers, timeout=30, trust_env=False)

    def call(self, method: str, path: str, data: dict[str, Any] | None = None, /, **query: Any) -> dict[str, Any]:
        """One call to the controls; RuntimeError with the sandbox's sentence where it refuses."""
        response = self.control.request(method, path, json=data, params=query)
        if response.is_error:
            raise RuntimeError(f"{method} {path}: {response.status_code} {response.text}")
        answer: dict[str, Any] = response.json()
        return answer

    def reset(self, seed: int = 1, *, plausible: bool = True) -> None:
        self.call("POST", "reset", {"seed": seed, "plausible": plausible})

    def arm(self, supplier: str, kind: str, count: int | None = 1, **params: Any) -> dict[str, Any]:
        return self.call("POST", "faults", {"supplier": supplier, "kind": kind, "count": count, "params": params})

    def account(self, supplier: str, **changes: Any) -> dict[str, Any]:
        """Read an account, or change api_keys, webhook_secret, webhook_url, delivery_delay_seconds, tier, balance."""
        return self.call("PUT" if changes else "GET", f"accounts/{supplier}", changes or None)

    def settings(self, **changes: Any) -> dict[str, Any]:
        """seed, limits_enabled, loop_enabled, webhook_retry_seconds."""
        return self.call("PUT" if changes else "GET", "settings", changes or None)

    def set_clock(self, *, offset_seconds: float = 0, frozen_at: str | None = None) -> dict[str, Any]:
        given = {"frozen_at": frozen_at} if frozen_at else {"offset_seconds": offset_seconds}
        return self.call("PUT", "clock", given)

    def advance(self, *, collect: bool = True) -> list[dict[str, Any]]:
        """Bring orders up to the sandbox's now; the webhooks collected instead of sent (or what became of sending)."""
        webhooks: list[dict[str, Any]] = self.call("POST", "advance", {"collect": collect})["webhooks"]
        return webhooks

    def orders(self, **filters: str) -> list[dict[str, Any]]:
        """Every order the suppliers accepted; filters supplier, client_order_id, order_id, created_from, created_to."""
        found: list[dict[str, Any]] = self.call("GET", "orders", None, **filters)["orders"]
        return found

    def requests(self, **filters: str) -> list[dict[str, Any]]:
        """The requests seen, newest first; filters supplier, method, path, last."""
        found: list[dict[str, Any]] = self.call("GET", "requests", None, **filters)["requests"]
        return found


_servers: list[SandboxServer] = []


@pytest.fixture(scope="session")
def sandbox_server() -> SandboxServer:
    """One sandbox for each test process; call `reset()` first in a test that counts on its state."""
    if not _servers:
        _servers.append(SandboxServer())
        atexit.register(_servers[0].close)
    return _servers[0]
