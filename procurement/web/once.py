"""One-time forms: sending the same form twice shows the first result instead of doing it twice."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from procurement.errors import Refused, StaleState
from procurement.web.http import see_other
from procurement.web.models import FormToken

FIELD = "once"
KEEP = timedelta(days=2)

View = Callable[..., HttpResponse]


def new_token() -> str:
    """A token for a freshly shown form."""
    return uuid.uuid4().hex


def once(view: View) -> View:
    """Run a POST view at most once per form token.

    A second POST is sent to the first one's result, or gets StaleState while the first is still running. An answer
    of 400 or more (a form shown again with errors is 422) or an exception frees the token, so the person can correct
    and send again. A POST without a token is Refused. Other methods pass.
    """

    @functools.wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        token = _sent_token(request)
        if not _claim(request, token):
            return _first_result(request, token)
        try:
            response = view(request, *args, **kwargs)
        except BaseException:
            _free(token)
            raise
        _finish(token, response)
        return response

    return wrapper


def _sent_token(request: HttpRequest) -> uuid.UUID:
    try:
        return uuid.UUID(request.POST.get(FIELD, ""))
    except ValueError:
        raise Refused(
            "This form came without its one-time mark. Nothing was changed. Reload the page and send it again."
        ) from None


def _claim(request: HttpRequest, token: uuid.UUID) -> bool:
    """True for exactly one of several simultaneous senders: the token is the primary key."""
    FormToken.objects.filter(created_at__lt=timezone.now() - KEEP).delete()
    try:
        with transaction.atomic():
            FormToken.objects.create(token=token, user_id=request.user.pk, path=request.path[:500])
    except IntegrityError:
        return False
    return True


def _first_result(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    first = FormToken.objects.filter(token=token, user=request.user.pk or 0, path=request.path[:500]).first()
    if first and first.result_url:
        return see_other(request, first.result_url)
    if first and first.finished:
        raise StaleState("This was done once, and what it showed is not shown again. Go back and begin anew.")
    raise StaleState(
        "This form was already sent and is being handled. It was not sent a second time. "
        "Reload the page to see the result."
    )


def _finish(token: uuid.UUID, response: HttpResponse) -> None:
    result = response.get("Location") or response.get("HX-Redirect") or ""
    if response.status_code >= 400:
        _free(token)
    else:
        FormToken.objects.filter(token=token).update(result_url=result[:500], finished=True)


def _free(token: uuid.UUID) -> None:
    FormToken.objects.filter(token=token, finished=False).delete()
