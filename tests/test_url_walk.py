"""Every address as every role: nobody gets in without signing in, or further than their role; nothing breaks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve, reverse

from procurement.demo.documents import named_views
from procurement.staff.models import User
from procurement.staff.roles import ROLES
from tests.orders.conftest import Shop, sandbox_server, shop
from tests.security.pages import complaints
from tests.world import World, build_world

__all__ = ["sandbox_server", "shop"]

# Reachable without signing in, each on purpose: signing in itself, joining by a link, suppliers' messages, the look of the
# pages, and what a load balancer and Prometheus ask.
OPEN_TO_ALL = {"login", "login_code", "suppliers:hook", "preferences", "gallery", "livez", "readyz", "metrics"} | {
    f"people:invitation_{step}" for step in ("open", "accept")
}


def addresses(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each URL name with the arguments it takes."""
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            yield from addresses(entry, f"{prefix}{entry.namespace}:" if entry.namespace else prefix)
        elif isinstance(entry, URLPattern) and entry.name:
            yield f"{prefix}{entry.name}", tuple(entry.pattern.converters)


ADDRESSES = sorted(addresses())
VIEWS = dict(named_views())


@pytest.mark.requirement("R63")
@pytest.mark.parametrize("name", sorted(VIEWS))
def test_each_view_says_who_may_use_it(name: str) -> None:
    view = VIEWS[name]
    if name in OPEN_TO_ALL:
        assert not view.login_required  # type: ignore[attr-defined]
    else:
        assert getattr(view, "login_required", True), f"{name} is open without signing in and not listed as such"
        assert hasattr(view, "required_permissions"), f"{name} says neither what it needs nor that it needs nothing"


@pytest.fixture
def world(shop: Shop, buyer: User, support: User, person: Callable[..., User]) -> World:
    return build_world(shop, buyer, support, person("dora_drafter", "buyer"))


def url_of(world: World, name: str, arguments: tuple[str, ...]) -> str:
    return reverse(name, kwargs=world.arguments(name, arguments))


def ask(client: Client, method: str, url: str) -> Any:
    client.raise_request_exception = False
    return client.get(url) if method == "GET" else client.post(url, {})


@pytest.mark.requirement("R63", "R100")
def test_without_signing_in_every_address_leads_to_the_sign_in(world: World) -> None:
    wrong = []
    for name, arguments in ADDRESSES:
        url = url_of(world, name, arguments)
        for method in ("GET", "POST"):
            answer = ask(Client(), method, url)
            to_sign_in = answer.status_code == 302 and answer["Location"].startswith(reverse("login"))
            fine = answer.status_code < 500 if name in OPEN_TO_ALL else to_sign_in
            wrong += [] if fine else [f"{method} {name}: {answer.status_code}"]
            wrong += [f"{method} {name}: {complaint}"] if (complaint := complaints(answer)) else []
    assert wrong == []


@pytest.mark.requirement("R63")
@pytest.mark.parametrize("role", [*ROLES, ""])
def test_a_role_gets_exactly_where_its_permissions_lead(world: World, person: Callable[..., User], role: str) -> None:
    user = person(f"walker_{role or 'nobody'}", *([role] if role else []))
    wrong, client = [], Client()
    for name, arguments in ADDRESSES:
        url = url_of(world, name, arguments)
        permissions = getattr(resolve(url).func, "required_permissions", ())
        allowed = not permissions or any(user.can(permission) for permission in permissions)
        for method in ("GET", "POST"):
            if SESSION_KEY not in client.session:
                client.force_login(user)
            complaint = complaint_about(ask(client, method, url), allowed, method)
            wrong += [f"{method} {name}: {complaint}"] if complaint else []
    assert wrong == []


def complaint_about(answer: Any, allowed: bool, method: str) -> str:
    """What is wrong with an answer; empty if nothing."""
    if complaints(answer):
        return complaints(answer)
    if answer.status_code >= 500:
        return f"{answer.status_code} {getattr(answer, 'exc_info', ('',))[0]}"
    if allowed:
        # An empty form may well name nothing that is there.
        missed = {401, 403, 404} if method == "GET" else {401, 403}
        return "refused although allowed" if answer.status_code in missed else ""
    if answer.status_code != 403:
        return f"{answer.status_code} although not allowed"
    text = answer.content.decode()
    return "" if re.search(r"This is for: .+ Nothing was changed\.", text) else "no sentence that says whom to ask"
