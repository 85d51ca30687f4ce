"""Tools for tests of the shell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.template import engines
from django.test import Client, RequestFactory


@pytest.fixture
def rendered(rf: RequestFactory) -> Callable[..., str]:
    """Render a template's text with the project's tags: `rendered("{% money 1 'USD' %}", path="/?a=b")`."""

    def render(text: str, *, path: str = "/", **context: Any) -> str:
        return engines["django"].from_string(text).render({"request": rf.get(path), **context})

    return render


@pytest.fixture
def shell_urls(settings: Any) -> None:
    """Route requests to tests/web/urls.py."""
    settings.ROOT_URLCONF = "tests.web.urls"


@pytest.fixture
def signed_in(shell_urls: None, buyer: Any) -> Client:
    client = Client()
    client.force_login(buyer)
    return client
