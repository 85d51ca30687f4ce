"""Importing a supplier's statement: a dry run that changes nothing, then all of its lines or none of them (R93, R94)."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta

from django.db import transaction
from django.utils import timezone

from procurement.audit.services import record
from procurement.errors import Refused
from procurement.reconciliation.models import AccountStatement
from procurement.reconciliation.statement_file import read_statement
from procurement.reconciliation.window import WORK_KIND, Window, work_ref
from procurement.staff.access import check_can
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.suppliers.models import SupplierAccount
from procurement.work.services import make_due

MOST_DAYS = 100


def dry_run_statement(
    *, by: User, account: SupplierAccount, currency: str, first: date, last: date, name: str, content: bytes
) -> AccountStatement:
    """Read a statement of whole days that are over and keep what was read; nothing is compared with it yet.

    The same file again is the first one, whatever it is called; until it is imported its days may be given anew.
    """
    check_can(by, Permission.RECONCILIATION_RUN)
    if not first <= last < timezone.now().date():
        raise Refused("A statement covers days that are over, from the first to the last. Nothing was imported.")
    if (last - first).days >= MOST_DAYS:
        raise Refused(f"A statement covers at most {MOST_DAYS} days. Nothing was imported. Split it.")
    digest = hashlib.sha256(content).hexdigest()
    known = AccountStatement.objects.filter(account=account, currency=currency, sha256=digest)
    if known.filter(applied_at__isnull=False).exists():
        return known.get()
    shown = "".join(char for char in name.replace("\\", "/").rsplit("/", 1)[-1] if char.isprintable())[:120]
    facts = {
        "first": first,
        "last": last,
        "name": shown or "statement.csv",
        "lines": read_statement(content, currency, first, last),
        "uploaded_by": by,
        "uploaded_at": timezone.now(),
    }
    return AccountStatement.objects.update_or_create(account=account, currency=currency, sha256=digest, defaults=facts)[
        0
    ]


def apply_statement(*, by: User, statement: AccountStatement) -> None:
    """Let its days be compared with it; Refused while any line can't be read. A second time changes nothing."""
    check_can(by, Permission.RECONCILIATION_RUN)
    wrong = len(statement.problems)
    if wrong:
        raise Refused(f"{wrong} of its lines can't be read. Nothing was imported. Correct them and upload it again.")
    with transaction.atomic():
        now = timezone.now()
        mine = AccountStatement.objects.filter(
            pk=statement.pk, applied_at__isnull=True, uploaded_at=statement.uploaded_at
        )
        if not mine.update(applied_at=now, applied_by=by):
            return
        record("account_statement.imported", by=by, subject=statement, file=statement.name, count=len(statement.lines))
        for number in range((statement.last - statement.first).days + 1):
            day = statement.first + timedelta(days=number)
            make_due(WORK_KIND, work_ref(statement.account, statement.currency, day))


def statement_of(window: Window) -> AccountStatement | None:
    """The statement that holds for a day: of those that cover it the one imported last."""
    rows = AccountStatement.objects.filter(account=window.account, currency=window.currency, applied_at__isnull=False)
    return rows.filter(first__lte=window.day, last__gte=window.day).order_by("-applied_at", "-pk").first()
