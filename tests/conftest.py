"""The cast and the tools every test may use."""

from __future__ import annotations

import base64
import gc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from procurement.staff.models import RoleGrant, User
from procurement.staff.permissions import Permission
from procurement.staff.roles import ROLES, Role
from procurement.suppliers import throttle
from tests.emptying import quick_emptying, wait_for_no_disk

pytest_plugins = ["tests.browser", "tests.report"]
# The collector of reference cycles finds little in a test and costs a sixth of its time.
gc.set_threshold(100_000, 20, 100)


@pytest.fixture(autouse=True, scope="session")
def emptying() -> Iterator[None]:
    """Append-only tables can be emptied between tests that commit, and at no other time."""
    with quick_emptying():
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    with django_db_blocker.unblock():
        wait_for_no_disk()


@pytest.fixture(autouse=True)
def master_key(settings: Any) -> None:
    """A master key of the test's own, so that no test depends on the machine's."""
    settings.MASTER_KEY = base64.b64encode(b"countersign-tests-master-key-32b").decode()
    settings.MASTER_KEY_FILE = ""


@pytest.fixture(autouse=True)
def clock_of_the_test(settings: Any) -> None:
    """Tests move time about; the database's clock would not follow."""
    settings.SHARED_CLOCK = "process"


@pytest.fixture(autouse=True)
def no_flood_before() -> None:
    """Webhook buckets are the process's own: no test inherits what another sent."""
    throttle.forget()


# Long ago for every test, also for those that set the clock back.
SETTLED = datetime(2000, 1, 1, tzinfo=UTC)


def make_person(name: str, *roles: str) -> User:
    """Somebody whose roles are settled."""
    person = User.objects.create(username=name, display_name=name.replace("_", " ").title(), password="!")
    for role in roles:
        RoleGrant.objects.create(user=person, role=role, granted_at=SETTLED, settled_at=SETTLED)
    return person


def make_newcomer(name: str, role: str) -> User:
    """Somebody who was given the role just now: it does not confirm anything before it is settled."""
    person = User.objects.create(username=name, display_name=name.replace("_", " ").title(), password="!")
    RoleGrant.objects.create(user=person, role=role)
    return person


@pytest.fixture
def person(db: None) -> Callable[..., User]:
    return make_person


@pytest.fixture
def all_roles(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> User:
    """Somebody who sees everything and asked for nothing, as no person may: by a role of the tests' own."""

    class Everyone(Role):
        name, label, description = "everyone", "Everyone", "Does what anybody may."
        permissions = frozenset(Permission)

    monkeypatch.setitem(ROLES, "everyone", Everyone)
    return make_person("ann_everyone", "everyone")


@pytest.fixture
def buyer(db: None) -> User:
    return make_person("ben_buyer", "buyer")


@pytest.fixture
def manager(db: None) -> User:
    return make_person("mia_manager", "manager")


@pytest.fixture
def second_manager(db: None) -> User:
    return make_person("max_manager", "manager")


@pytest.fixture
def support(db: None) -> User:
    return make_person("sam_support", "support")


@pytest.fixture
def finance(db: None) -> User:
    return make_person("fay_finance", "finance")


@pytest.fixture
def admin(db: None) -> User:
    return make_person("ada_admin", "admin")


@pytest.fixture
def second_admin(db: None) -> User:
    return make_person("abe_admin", "admin")


@pytest.fixture
def auditor(db: None) -> User:
    return make_person("olga_auditor", "auditor")


@pytest.fixture
def outsider(db: None) -> User:
    return make_person("otto_outsider")
