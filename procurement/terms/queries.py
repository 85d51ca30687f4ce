"""What pages and other rooms read of the register."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

from django.db.models import Count, Q
from django.utils import timezone

from procurement.audit.queries import timeline_for
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from procurement.terms.asking import access_text
from procurement.terms.kinds import KINDS, QUOTE, REGISTERS, Kind, kinds_for
from procurement.terms.models import PAGE, AccessRequest, PriceList, Question, Statement
from procurement.terms.states import ANSWERED, CHECKED, CONFIRMED, NOT_CONFIRMED, SUPERSEDED
from procurement.web.lists import Column

NOT_CONFIRMED_WORDS = "not confirmed"


class Line(NamedTuple):
    """One kind with the statement that stands for it, if anybody made one."""

    kind: Kind
    statement: Statement | None

    @property
    def holds(self) -> bool:
        return self.statement is not None and self.statement.holds

    @property
    def words(self) -> str:
        """The value while it holds, else "not confirmed" (R13)."""
        return self.statement.words if self.statement is not None and self.holds else NOT_CONFIRMED_WORDS


def standing(account: SupplierAccount) -> list[Line]:
    """Every kind of this account with its current statement, in reading order; one query."""
    rows = account.statements.exclude(state=SUPERSEDED).select_related("account", "recorded_by", "confirmed_by")
    found = {row.kind: row for row in rows}
    return [Line(kind, found.get(kind.key)) for kind in kinds_for(account)]


def line_of(account: SupplierAccount, key: str) -> Line:
    """One kind with its current statement; what builds on a term asks whether this `holds` (R13)."""
    rows = account.statements.exclude(state=SUPERSEDED).select_related("account", "recorded_by", "confirmed_by")
    return Line(KINDS[key], rows.filter(kind=key).first())


def grouped(lines: list[Line]) -> list[tuple[str, list[Line]]]:
    """The lines by register, identity apart from all that is negotiated (R11)."""
    groups = [(label, [line for line in lines if line.kind.register == name]) for name, label in REGISTERS.items()]
    return [(label, members) for label, members in groups if members]


def counts(lines: list[Line]) -> dict[str, int]:
    """How many kinds hold, and how many statements wait for a second person or are over."""
    waiting = [line.statement for line in lines if line.statement is not None and not line.holds]
    return {
        "all": len(lines),
        "holding": sum(line.holds for line in lines),
        "to_confirm": sum(row.state == "not_confirmed" for row in waiting),
        "expired": sum(row.state == "confirmed" for row in waiting),
    }


class Waiting(NamedTuple):
    """How much of an account an administrator may confirm or check, and how much is over."""

    account_id: uuid.UUID
    name: str
    to_agree: int
    expired: int


def waiting_for(user: User) -> list[Waiting]:
    """Accounts with something that waits for this administrator; one query."""
    today = timezone.now().date()
    said = Q(statements__state=NOT_CONFIRMED) & ~Q(statements__recorded_by=user)
    usable = Q(statements__expires_on__isnull=True) | Q(statements__expires_on__gte=today)
    advertised = Q(statements__register=QUOTE, statements__source=PAGE)
    answered = Q(questions__state=ANSWERED) & ~Q(questions__answered_by=user)
    over = Q(statements__state=CONFIRMED, statements__expires_on__lt=today)
    counted = SupplierAccount.objects.annotate(
        to_agree=Count("statements", filter=said & usable & ~advertised, distinct=True)
        + Count("questions", filter=answered, distinct=True),
        expired=Count("statements", filter=over, distinct=True),
    )
    found = counted.filter(Q(to_agree__gt=0) | Q(expired__gt=0)).order_by("name")
    return [Waiting(*row) for row in found.values_list("pk", "name", "to_agree", "expired")]


def history(account: SupplierAccount, key: str) -> list[Statement]:
    """Everything that was said of one kind, newest first; at most fifty."""
    rows = account.statements.filter(kind=key).select_related("account", "recorded_by", "confirmed_by")
    return list(rows[:50])


def questions_of(account: SupplierAccount) -> list[tuple[str, list[Question]]]:
    """Buyers' questions by what they are to be checked before."""
    rows = list(account.questions.select_related("asked_by", "answered_by", "checked_by"))
    groups = [
        (f"Before {label.lower()}", [row for row in rows if row.before == name]) for name, label in Question.BEFORE
    ]
    return [(label, members) for label, members in groups if members]


def questions_left(account: SupplierAccount, before: str = "") -> int:
    """How many questions nobody has checked, of all or before one kind of commitment (R17)."""
    rows = account.questions.exclude(state=CHECKED)
    return rows.filter(before=before).count() if before else rows.count()


def price_lists_of(account: SupplierAccount) -> list[PriceList]:
    """The last fifty lists asked for, without their content."""
    return list(account.price_lists.select_related("asked_by", "received_by").defer("content")[:50])


def access_of(account: SupplierAccount) -> dict[str, Any]:
    """The latest request with its text, what was decided before, and what happened to all of them."""
    found = list(AccessRequest.objects.filter(account=account).select_related("account", "prepared_by")[:20])
    latest = found[0] if found else None
    return {
        "latest": latest,
        "text": access_text(latest) if latest else "",
        "may_prepare": latest is None or latest.is_decided,
        "entries": timeline_for(*found) if found else [],
    }


def of(line: Line, name: str) -> object:
    return getattr(line.statement, name) if line.statement else ""


COLUMNS: list[Column[Any]] = [
    Column("register", lambda line: line.kind.register_label),
    Column("term", lambda line: line.kind.label),
    Column("state", lambda line: line.statement.status.label if line.statement else "Not confirmed"),
    Column("holds", lambda line: line.words),
    Column("until confirmed", lambda line: "" if line.holds else line.kind.until),
    Column("said", lambda line: line.statement.words if line.statement else ""),
    Column("source", lambda line: line.statement.get_source_display() if line.statement else ""),
    Column("reference", lambda line: of(line, "reference")),
    Column("said on", lambda line: of(line, "stated_on")),
    Column("last day", lambda line: of(line, "expires_on")),
    Column("recorded by", lambda line: of(line, "recorded_by")),
    Column("confirmed by", lambda line: of(line, "confirmed_by")),
]
