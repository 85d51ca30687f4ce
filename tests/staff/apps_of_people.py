"""Somebody's phone: an authenticator app as the tests hold it."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from procurement.staff import factor
from procurement.staff.models import User

SEED = r"(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}"
PASSWORD = "correct horse battery"


@dataclass
class Phone:
    """An app that has the seed; `code(1)` is what it shows in 30 seconds."""

    seed: bytes
    recovery: list[str]

    def code(self, steps: int = 0) -> str:
        return factor.code_at(self.seed, factor.step_now() + steps)


def seed_in(text: str) -> bytes:
    """The seed that a page or a text shows in groups of four."""
    found = re.search(SEED, text)
    assert found, text
    return base64.b32decode(found[0].replace(" ", ""))


def with_phone(user: User) -> Phone:
    """Set up a second factor for somebody; its present code is used up, the next one is not."""
    seed = seed_in(factor.to_scan(factor.begin(by=user)).seed)
    phone = Phone(seed, [])
    phone.recovery = factor.confirm(by=user, code=phone.code(-1))
    return phone


def with_password(user: User) -> User:
    user.set_password(PASSWORD)
    user.save()
    return user
