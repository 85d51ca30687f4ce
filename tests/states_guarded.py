"""Every UPDATE of a `state` column that a machine governs, watched while it happens: only transition() may send one."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from django.db import connection

from procurement import states
from procurement.approvals.models import ApprovalRequest
from procurement.bookkeeping.models import Correction, Deposit
from procurement.catalog.models import Mapping
from procurement.claims.models import Case, Claim
from procurement.onboarding.models import ProbeRun
from procurement.orders.models import Attempt, Code, CodeImport, DeliveryFile, Order, UnclaimedOrder
from procurement.suppliers.models import SupplierAccount
from procurement.terms.models import AccessRequest, PriceList, Question, Statement

GOVERNED = frozenset(
    model._meta.db_table
    for model in (
        *(
            ApprovalRequest,
            Attempt,
            Case,
            Claim,
            Code,
            CodeImport,
            Correction,
            DeliveryFile,
            Deposit,
            Mapping,
            Order,
            SupplierAccount,
            UnclaimedOrder,
        ),
        *(AccessRequest, PriceList, ProbeRun, Question, Statement),
    )
)
WRITING = re.compile(r'^\s*UPDATE "?(\w+)"? SET (.*?)(?: WHERE |$)', re.DOTALL | re.IGNORECASE)
STATE = re.compile(r'(?:^|[\s,."])state"? =', re.IGNORECASE)


class StateWritten(AssertionError):
    """A state was about to be written by somebody else than transition()."""


def writes_state(sql: str) -> bool:
    found = WRITING.match(sql)
    return bool(found and found[1] in GOVERNED and STATE.search(found[2]))


def inside_transition() -> bool:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code is states.transition.__code__:
            return True
        frame = frame.f_back
    return False


def refuse(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    if writes_state(sql) and not inside_transition():
        raise StateWritten(sql)
    return execute(sql, params, many, context)


@contextmanager
def states_guarded() -> Iterator[None]:
    """While this lasts, a state written past transition() is refused before it reaches the database."""
    with connection.execute_wrapper(refuse):
        yield
