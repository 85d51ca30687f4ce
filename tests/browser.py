"""A real browser for the tests: `page`, `sign_in`, `axe`, `screenshot`.

Playwright's synchronous interface leaves a running event loop in its thread, in which Django refuses database access.
It therefore lives in a thread of its own, and tests talk to proxies that send each call there: no safeguard is off.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import expect as playwright_expect

INSTALL_LINE = "apt-get install --no-install-recommends chromium-headless-shell fonts-dejavu-core"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENSHOTS = Path(__file__).resolve().parent.parent / "var" / "screenshots"
DESKTOP = {"width": 1440, "height": 900}


class Proxy:
    """Stands for a Playwright object: looks up, calls and compares in Playwright's thread."""

    def __init__(self, target: Any, thread: ThreadPoolExecutor) -> None:
        self.__dict__.update(_target=target, _thread=thread)

    def __getattr__(self, name: str) -> Any:
        return self._wrap(self._thread.submit(getattr, self._target, name).result())

    def __setattr__(self, name: str, value: object) -> None:
        self._thread.submit(setattr, self._target, name, self._unwrap(value)).result()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        plain = [self._unwrap(value) for value in args]
        named = {name: self._unwrap(value) for name, value in kwargs.items()}
        return self._wrap(self._thread.submit(self._target, *plain, **named).result())

    def __enter__(self) -> Any:
        return self._wrap(self._thread.submit(self._target.__enter__).result())

    def __exit__(self, *exception: Any) -> Any:
        return self._thread.submit(self._target.__exit__, *exception).result()

    def __repr__(self) -> str:
        return str(self._thread.submit(repr, self._target).result())

    def _wrap(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._wrap(item) for item in value]
        is_playwright = type(value).__module__.startswith("playwright.")
        return Proxy(value, self._thread) if is_playwright or callable(value) else value

    def _unwrap(self, value: Any) -> Any:
        return value._target if isinstance(value, Proxy) else value


@pytest.fixture(scope="session")
def browser(request: pytest.FixtureRequest) -> Iterator[Proxy]:
    """One Chromium for the session, driven by the executable that COUNTERSIGN_BROWSER names."""
    if request.config.getoption("--no-browser"):
        pytest.skip("--no-browser")
    executable = os.environ.get("COUNTERSIGN_BROWSER", "")
    if not executable:
        pytest.fail(f"No browser was found, so nothing was tested in one. Install it: {INSTALL_LINE}", pytrace=False)
    with ThreadPoolExecutor(1, thread_name_prefix="playwright") as thread:
        playwright = thread.submit(lambda: sync_playwright().start()).result()
        started: Browser = thread.submit(
            lambda: playwright.chromium.launch(executable_path=executable, args=FLAGS)
        ).result()
        yield Proxy(started, thread)
        thread.submit(started.close).result()
        thread.submit(playwright.stop).result()


@pytest.fixture
def new_page(browser: Proxy) -> Iterator[Callable[..., Any]]:
    """Open a page in a context of its own: `new_page(viewport={...}, java_script_enabled=False)`.

    The test fails at its end if any page threw, or wrote a warning or an error to the console: that is how a break of
    the content security policy shows. Expected messages go into `page.expected_messages` as regular expressions.
    """
    opened: list[Page] = []

    def open_page(**options: Any) -> Page:
        page = Page(browser, {"viewport": DESKTOP, **options})
        opened.append(page)
        return page

    yield open_page
    complaints = [complaint for page in opened for complaint in page.close()]
    assert not complaints, "\n".join(complaints)


class Page(Proxy):
    """A Playwright page that remembers what the browser complained about."""

    def __init__(self, browser: Proxy, options: dict[str, Any]) -> None:
        self.__dict__.update(complaints=[], expected_messages=[])
        context = browser.new_context(reduced_motion="reduce", **options)
        super().__init__(context.new_page()._target, browser._thread)
        self.__dict__.update(owner=context)
        self._thread.submit(self._listen).result()

    def _listen(self) -> None:
        complaints = self.__dict__["complaints"]
        self._target.on("pageerror", lambda error: complaints.append(f"Uncaught: {error}"))
        self._target.on(
            "console",
            lambda message: message.type in {"error", "warning"} and complaints.append(f"Console: {message.text}"),
        )

    def close(self) -> list[str]:
        """Close the page's context; the complaints that were not expected."""
        self.owner.close()
        expected = self.expected_messages
        return [text for text in self.complaints if not any(re.search(pattern, text) for pattern in expected)]


@pytest.fixture
def page(new_page: Callable[..., Any]) -> Any:
    """A desktop page with scripts on."""
    return new_page()


def sign_in(page: Any, live_server: Any, user: Any) -> None:
    """Give the page's browser context a session of `user`, without the sign-in form."""
    client = Client()
    client.force_login(user)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])


def expect(subject: Any) -> Any:
    """Playwright's waiting assertions for a page or locator: `expect(page.locator("h1")).to_have_text("Orders")`."""
    return subject._wrap(subject._thread.submit(playwright_expect, subject._target).result())


def axe(page: Any, context: str | None = None, *rules: str) -> None:
    """No accessibility violation on the page, or in the part that the selector `context` names; of these rules, or of any."""
    thread, options = page._thread, {"runOnly": list(rules)} if rules else None
    results = thread.submit(lambda: Axe().run(page._target, context, options)).result()
    assert results.violations_count == 0, results.generate_report()


def screenshot(page: Any, name: str) -> None:
    """Write the whole page to var/screenshots/<name>.png, where COUNTERSIGN_SCREENSHOTS asks for it: it takes time."""
    if os.environ.get("COUNTERSIGN_SCREENSHOTS"):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(SCREENSHOTS / f"{name}.png"), full_page=True)
