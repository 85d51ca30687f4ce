"""No code, key, password or seed stands anywhere it should not."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from tests.orders.conftest import Shop, sandbox_server, shop
from tests.security.canaries import Canary, Search
from tests.security.scenario import Stage, a_whole_day, set_the_stage
from tests.security.sinks import gathering

__all__ = ["sandbox_server", "shop"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stage(shop: Shop, settings: Any) -> Stage:
    """The limits of a person's day are no part of this: they would end it before it is over."""
    settings.REVEAL_LIMITS = dict.fromkeys(settings.REVEAL_LIMITS, 100_000)
    return set_the_stage(shop)


def everything(stage: Stage) -> Search:
    """The canaries, and what the installation itself must keep to itself."""
    own = [
        Canary("key", "the master key", django_settings.MASTER_KEY),
        Canary("key", "the master key in bytes", base64.b64decode(django_settings.MASTER_KEY).decode("latin-1")),
        Canary("key", "the secret key", django_settings.SECRET_KEY),
    ]
    return Search([*stage.canaries, *own])


@pytest.mark.requirement("R62", "R100")
def test_nothing_of_a_whole_day_stands_anywhere_it_should_not(
    stage: Stage, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with gathering(tmp_path) as sinks:
        a_whole_day(stage)
        said = capfd.readouterr()
        sinks.kept["standard output"].append((said.out + said.err).encode())
        found, seen = sinks.hits(everything(stage)), sinks.seen()

    assert found == {}
    kinds = [canary.kind for canary in stage.canaries]
    assert (kinds.count("code") >= 3, kinds.count("key") >= 4, kinds.count("factor") >= 1) == (True, True, True)
    empty = {name for name, size in seen.items() if size == 0}
    assert empty <= {"cache", "mails", "standard output"}, f"nothing was gathered of {empty}"
