"""Typed requests and the one way a page answers both a browser and htmx."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

if TYPE_CHECKING:
    from procurement.staff.models import User

View = TypeVar("View", bound=Callable[..., HttpResponse])


class Request(HttpRequest):
    """A signed-in request as views see it: who asks, and whether htmx asks."""

    htmx: HtmxDetails
    if TYPE_CHECKING:
        user: User


def is_fragment(request: HttpRequest) -> bool:
    """True when htmx asks for a part of a page, not when it restores history."""
    htmx = getattr(request, "htmx", None)
    return bool(htmx and not htmx.history_restore_request and not htmx.boosted)


def render_page(
    request: HttpRequest,
    page: str,
    fragment: str | None = None,
    context: Mapping[str, Any] | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    """Render `page`, or `fragment` when htmx asks; the same URL therefore opens as a full page."""
    template = fragment if fragment and is_fragment(request) else page
    return render(request, template, dict(context or {}), status=status)


def see_other(request: HttpRequest, to: Any, **kwargs: Any) -> HttpResponse:
    """Send the browser to `to` after a successful POST, through htmx's own header when htmx asked."""
    url = resolve_url(to, **kwargs)
    if is_fragment(request):
        return HttpResponseClientRedirect(url)
    response = HttpResponse(status=303)
    response["Location"] = url
    return response


def safe_next(request: HttpRequest, candidate: str, default: str) -> str:
    """`candidate` when it stays on this site, else the URL named `default`."""
    allowed = url_has_allowed_host_and_scheme(candidate, {request.get_host()}, require_https=request.is_secure())
    return candidate if allowed else resolve_url(default)


def current_path(request: HttpRequest) -> str:
    """Path and query of the page the person looks at, which for htmx is not the URL of the request."""
    htmx = getattr(request, "htmx", None)
    if htmx:
        return htmx.current_url_abs_path or "/"
    return request.get_full_path()


def with_query(path: str, **query: str) -> str:
    """`path` with `query` appended."""
    return f"{path}?{urlencode(query)}"


def sender_of(request: HttpRequest) -> str:
    """The address a request came from: the peer's, or behind COUNTERSIGN_PROXIES proxies the one the outermost saw."""
    hops = settings.TRUSTED_PROXIES
    if hops:
        told = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
        if len(told) >= hops and told[-hops]:
            return str(told[-hops][:60])
    return str(request.META.get("REMOTE_ADDR", ""))


def never_keep(view: View) -> View:
    """Mark a view whose form fields must not wait in the session for a new sign-in: passwords, keys, codes."""
    view.never_keep = True  # type: ignore[attr-defined]
    return view
