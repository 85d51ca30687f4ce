"""A secret leaves only through expose()."""

from __future__ import annotations

import copy
import json
import logging
import pickle

import pytest

from procurement.vault import Secret

CANARY = "TST0-CANA-RY99"


def test_expose_gives_it_back() -> None:
    assert Secret(CANARY).expose() == CANARY
    assert Secret(b"\x00\xff").expose_bytes() == b"\x00\xff"


@pytest.mark.requirement("R62", "R100")
def test_every_accidental_way_out_refuses() -> None:
    secret = Secret(CANARY)
    ways = [
        lambda: str(secret),
        lambda: f"{secret}",
        lambda: format(secret, ">20"),
        lambda: "%s" % secret,  # noqa: UP031
        lambda: json.dumps({"code": secret}),
        lambda: pickle.dumps(secret),
        lambda: copy.deepcopy(secret),
        lambda: vars(secret),
        lambda: hash(secret),
    ]
    for way in ways:
        with pytest.raises(TypeError) as caught:
            way()
        assert CANARY not in str(caught.value)


@pytest.mark.requirement("R62")
def test_repr_and_logs_say_nothing(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("got %r and %s", Secret(CANARY), [Secret(CANARY)])
    assert CANARY not in caplog.text
    assert repr(Secret(CANARY)) == "<Secret>"


def test_equality_compares_contents() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
