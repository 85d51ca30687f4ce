"""The search finds a value however it is written, and nothing that only looks like it."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from tests.security.canaries import Canary, Search, forms

CODE, KEY = "TST0-A7QX-9ZK2", "key-0123456789ab\"'\\<&>%+/=;"


@pytest.mark.parametrize("value", [CODE, KEY])
@pytest.mark.parametrize("around", [b"", b"x", b"xy", b"xyz"])
def test_each_way_of_writing_is_found_wherever_it_begins(value: str, around: bytes) -> None:
    search = Search([Canary("x", "it", value)])
    raw = value.encode()
    written = {
        "base64": base64.b64encode(around + raw + around),
        "base64, for addresses": base64.urlsafe_b64encode(around + raw + around),
        "hex": (around + raw + around).hex().upper().encode(),
        "URL-encoded": around + quote(value, safe="").encode() + around,
        "JSON": json.dumps({around.decode(): value}).encode(),
        "escaped": "".join(f"\\u{ord(char):04x}" for char in value).encode(),
        "UTF-16": (around.decode() + value).encode("utf-16-le"),
        "UTF-16, the other way": (around.decode() + value).encode("utf-16-be"),
        "reversed": around + raw[::-1] + around,
        "repr of bytes": repr(around + raw).encode(),
        "small letters": around + value.lower().encode(),
        "a list": repr(list(raw)).encode(),
    }

    assert [name for name, text in written.items() if not search.hits(b"before " + text + b" after")] == []


@pytest.mark.parametrize(
    "text",
    ["TST0A7QX9ZK2", "tst0a7qx9zk2", "TST0 A7QX 9ZK2", "T S T 0 A 7 Q X 9 Z K 2", "TST0.A7QX.9ZK2", "TST0–A7QX–9ZK2"],
)
def test_a_code_is_found_however_it_is_grouped(text: str) -> None:
    assert Search([Canary("code", "it", CODE)]).hits(f"it is {text}!".encode())


def test_what_looks_alike_is_not_taken_for_it() -> None:
    search = Search([Canary("code", "it", CODE)])

    assert search.hits(b"TST0-A7QX-9ZK3 \xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2-9ZK2 " + b"TST0" * 100) == {}
    assert search.hits(CODE.encode(), meant="code") == {}
    assert len(forms(CODE)) > 60
