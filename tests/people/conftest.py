"""Administrators enough that one may go."""

from __future__ import annotations

import pytest

from procurement.staff.models import User
from tests.conftest import make_person


@pytest.fixture
def third_admin(db: None) -> User:
    return make_person("tea_admin", "admin")
