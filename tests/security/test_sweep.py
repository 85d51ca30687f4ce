"""No code, key, password or seed stands anywhere it should not."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.template import engines

from tests.orders.conftest import Shop, sandbox_server, shop
from tests.security.canaries import Canary, Search
from tests.security.failures import fail_everywhere
from tests.security.scenario import Stage, a_whole_day, order_codes, set_credentials, set_the_stage
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


@pytest.mark.requirement("R62", "R100")
def test_nothing_stands_anywhere_when_each_layer_fails(
    stage: Stage, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Views, templates, services, vault, suppliers' client, database, work, webhooks, record, mail and exports; as in
    live use, and with debug pages."""
    settings.MAIL_IS_SET_UP = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    templates: Any = engines["django"]
    never = []
    with gathering(tmp_path) as sinks:
        set_credentials(stage)
        order_codes(stage)
        for settings.DEBUG in (False, True):
            monkeypatch.setattr(templates.engine, "debug", settings.DEBUG)
            never += fail_everywhere(stage)
        said = capfd.readouterr()
        sinks.kept["standard output"].append((said.out + said.err).encode())
        found = sinks.hits(everything(stage))

    assert (never, found) == ([], {})
    assert len(mail.outbox) > 50
    assert sum(b"Traceback" in answer for _, answer in sinks.answers) > 20
