"""Start-up check: the five messages the launch waits for are there (R80)."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error

from procurement.claims.messages import missing_messages


def check_messages(**kwargs: Any) -> list[CheckMessage]:
    """An error for each missing message; Django refuses to start with it."""
    hint = "Write it in procurement/claims/messages.py."
    return [
        Error(f"The customer message “{name}” is missing.", hint=hint, id="claims.E001") for name in missing_messages()
    ]
