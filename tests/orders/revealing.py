"""What the tests of reveals share: asking for a code as a person's browser does, and what is on record of it."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.urls import reverse

from procurement.audit.models import AuditEvent
from procurement.orders.models import Code
from procurement.staff.models import User
from procurement.vault import Purpose, open_sealed
from procurement.web.once import new_token

WHY = "The customer says that it was used already"
HTMX = {"HX-Request": "true"}


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def url(code: Code, action: str = "reveal") -> str:
    return reverse(f"orders:code_{action}", args=[code.pk])


def ask(person: User | Client, code: Code, ground: str, action: str = "reveal", **data: Any) -> Any:
    """Send the form of a reveal, or of a copy."""
    client = person if isinstance(person, Client) else signed_in(person)
    headers = data.pop("headers", {})
    fields = {"once": new_token(), "ground": ground, "why": "fault", "reason": WHY, **data}
    return client.post(url(code, action), fields, headers=headers)


def by_order(code: Code) -> str:
    return f"order:{code.order_id}"


def plain(code: Code) -> str:
    return open_sealed(code.sealed, purpose=Purpose.CODE, context=code.context()).expose()


def holds(answer: Any, code: Code) -> bool:
    """Whether the code stands anywhere in the answer, in whatever grouping or mark-up."""
    text = "".join(char for char in without_tags(answer.content.decode()) if char.isalnum())
    return plain(code) in text


def without_tags(html: str) -> str:
    out, inside = [], False
    for char in html:
        inside = (inside or char == "<") and not (inside and char == ">")
        if not inside and char != ">":
            out.append(char)
    return "".join(out)


def events() -> list[str]:
    rows = AuditEvent.objects.filter(action__startswith="code.").order_by("id")
    return [action.removeprefix("code.reveal_") for action in rows.values_list("action", flat=True)]
