"""What a reveal may be for: an order, or something a higher domain registers, such as a case. No code is opened without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from procurement.errors import Refused
from procurement.orders.models import Code
from procurement.staff.access import is_settled, may
from procurement.staff.models import User
from procurement.staff.permissions import Permission


@dataclass(frozen=True)
class Ground:
    """`ref` is what is stored, `kind:id`; `label` is its name, `words` how a form offers it."""

    ref: str
    label: str
    words: str


Finder = Callable[[User, Code], list[Ground]]
_finders: list[Finder] = []


def reveal_ground(finder: Finder) -> Finder:
    """Register a function that names what this person may reveal this code for; only what is open counts."""
    if finder not in _finders:
        _finders.append(finder)
    return finder


def grounds_for(user: User, code: Code) -> list[Ground]:
    """Everything open this person may reveal this code for, the order last."""
    return [ground for finder in [*_finders, of_the_order] for ground in finder(user, code)]


def of_the_order(user: User, code: Code) -> list[Ground]:
    """The order itself, for those who need no case and have had that role for a day."""
    if not (may(user, Permission.CODE_REVEAL_BY_ORDER) and is_settled(user, Permission.CODE_REVEAL_BY_ORDER)):
        return []
    return [Ground(f"order:{code.order_id}", str(code.order), f"{code.order}, without a case")]


def find_ground(user: User, code: Code, ref: str) -> Ground:
    """The named ground; Refused for one that is closed, another person's or about another code."""
    for ground in grounds_for(user, code):
        if ground.ref == ref:
            return ground
    raise Refused(
        "A code is revealed for an open case of yours that is about it, or by a manager for its order. "
        "It was not opened. Open a case for the code, or take the one there is."
    )
