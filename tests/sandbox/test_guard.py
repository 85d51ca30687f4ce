from __future__ import annotations

import base64

import pytest
from django.http import HttpResponse
from django.test import RequestFactory, override_settings

from procurement.sandbox.guard import LocalOnlyMiddleware


def answer_to(address: str, token: str, **headers: str) -> int:
    """The status a client at the address gets from a control that answers 200."""
    request = RequestFactory(headers=headers).get("/control/orders", REMOTE_ADDR=address)
    with override_settings(CONTROL_TOKEN=token, ALLOWED_HOSTS=["testserver"]):
        return LocalOnlyMiddleware(lambda _: HttpResponse("ok"))(request).status_code


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"desk:{password}".encode()).decode()


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1"])
def test_this_computer_needs_no_token(address: str) -> None:
    assert answer_to(address, token="") == 200


@pytest.mark.parametrize("authorization", ["Bearer open-sesame", basic("open-sesame")])
def test_other_computers_need_the_token(authorization: str) -> None:
    assert answer_to("192.0.2.7", token="open-sesame", Authorization=authorization) == 200


@pytest.mark.parametrize(
    ("token", "authorization"),
    [("open-sesame", "Bearer wrong"), ("open-sesame", basic("wrong")), ("open-sesame", "Basic %"), ("", "Bearer ")],
)
def test_other_computers_are_refused_without_it(token: str, authorization: str) -> None:
    assert answer_to("192.0.2.7", token=token, Authorization=authorization) == 401
