"""Crash reports without values: a local variable of a crashed request, or the words of its error, may hold a code or a key."""

from __future__ import annotations

from collections.abc import ItemsView
from typing import Any

from django.http import HttpRequest
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter


class NoVariablesFilter(SafeExceptionReporterFilter):
    """Reports where it failed, never with which values: no local variables, no form fields, no cookies."""

    def is_active(self, request: HttpRequest | None) -> bool:
        return True

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: Any) -> ItemsView[str, Any]:
        return ItemsView({})

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        return {}

    def get_safe_cookies(self, request: HttpRequest) -> dict[str, Any]:
        return {}


class NoWordsReporter(ExceptionReporter):
    """Names the kind of an error and of its causes, never their words: a database's error quotes what it was given."""

    def get_traceback_data(self) -> dict[str, Any]:
        data: dict[str, Any] = super().get_traceback_data()
        data |= {"exception_value": "Its words are kept back: they may quote a code or a key.", "exception_notes": ""}
        data["unicode_hint"] = ""
        if data["template_info"]:
            data["template_info"] = {**data["template_info"], "message": ""}
        for frame in data["frames"]:
            frame["exc_cause"] = type(frame["exc_cause"]).__name__ if frame["exc_cause"] else None
        return data
