"""Thousands of hostile requests made from genuine deliveries of both suppliers, the same ones in every run."""

from __future__ import annotations

import base64
import gzip
import io
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
import time_machine
from django.db import connection
from django.test import RequestFactory
from django.test.client import ClientHandler
from django.urls import reverse
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.orders.models import Attempt, Order
from procurement.orders.services import drafting
from procurement.orders.services.placing import place_order
from procurement.staff.models import User
from procurement.suppliers.models import RefusedCount, SupplierAccount, WebhookEvent
from procurement.suppliers.receiving import KEPT_OF_REFUSED, REFUSED_ROWS_A_DAY
from procurement.work.models import DueWork
from tests.orders.conftest import Shop, sandbox_server, shop

__all__ = ["sandbox_server", "shop"]
pytestmark = pytest.mark.django_db(transaction=True)

CORPUS, SEED = 5_400 if connection.vendor == "sqlite" else 1_350, 20261121
SIGNATURE = "X-PSNB2B-Signature"


@dataclass(frozen=True)
class Message:
    """One request to a webhook address as it stands on the wire; `length` None: as long as the body is."""

    account: str
    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "POST"
    content_type: str = "application/json"
    length: str | None = None


Mutation = Callable[[Message, random.Random], Message]


def spliced(raw: bytes, chance: random.Random, piece: bytes, most: int = 0) -> bytes:
    at = chance.randrange(len(raw) + 1)
    return raw[:at] + piece + raw[at + chance.randrange(most + 1) :]


def one_byte(message: Message, chance: random.Random) -> Message:
    return replace(message, body=spliced(message.body, chance, bytes([chance.randrange(256)]), most=1))


PIECES = (
    *(b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", "\u202e".encode(), "\u2028".encode(), "é".encode()),
    *(b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\\u0000", b"\\ud800", b"/*", b"NaN", b"Infinity", b"-0"),
    *(b"1e999", b"1E+400", b"9" * 5000, b"[" * 300, b'{"a":' * 300, b"null", b"true", b"\r\n", b" ", b"\t", b"<x>"),
)


def piece(message: Message, chance: random.Random) -> Message:
    return replace(
        message, body=spliced(message.body, chance, chance.choice(PIECES), most=chance.choice((0, 0, 1, 20)))
    )


def cut_short(message: Message, chance: random.Random) -> Message:
    at = chance.randrange(len(message.body))
    return replace(message, body=chance.choice((message.body[:at], message.body[at:])))


def noise(message: Message, chance: random.Random) -> Message:
    return replace(message, body=chance.randbytes(chance.randrange(600)))


def recoded(message: Message, chance: random.Random) -> Message:
    text = message.body.decode()
    ways: list[Callable[[], bytes]] = [
        lambda: text.encode("utf-16"),
        lambda: text.encode("utf-32"),
        lambda: text.encode("utf-8-sig"),
        lambda: gzip.compress(message.body),
        lambda: base64.b64encode(message.body),
        lambda: "".join(f"%{byte:02x}" for byte in message.body).encode(),
        lambda: text.encode("utf-7"),
        lambda: json.dumps(text).encode(),
        lambda: text.encode("utf-16-be"),
        lambda: message.body.swapcase(),
    ]
    encoding = chance.choice(("", "gzip", "deflate", "br", "identity, gzip"))
    headers = {**message.headers, "Content-Encoding": encoding} if encoding else message.headers
    return replace(message, body=chance.choice(ways)(), headers=headers)


VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        0,
        -1,
        1.5,
        10**4000,
        "",
        " ",
        "x" * 3000,
        "\u202e",
        "\x00",
        "ord_999",
        "é",
        "../../etc",
        "' or 1=1 --",
    ),
    *(
        [],
        {},
        [[[[[]]]]],
        {"a": {"b": {}}},
        "2026-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
    ),
    *(1763700000, "1763700000000", "sha256=", "sha256=" + "0" * 64, "sha256=" + "g" * 64, "md5=" + "0" * 32),
)


def member(message: Message, chance: random.Random) -> Message:
    """Another value for one member, or one more, or one fewer."""
    data = json.loads(message.body)
    name = chance.choice([*data, "extra", "__proto__", "", "sıgnature", "Signature", "order_id "])
    if name in data and chance.random() < 0.15:
        del data[name]
    else:
        data[name] = chance.choice(VALUES)
    return replace(message, body=json.dumps(data, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass"))


def stamp(message: Message, chance: random.Random) -> Message:
    data = json.loads(message.body)
    moment = timezone.now() + timedelta(seconds=chance.choice((-1, 1)) * chance.randrange(1, 10**9))
    data["timestamp"] = chance.choice(
        (moment.isoformat(), int(moment.timestamp()), f"{moment:%Y-%m-%d}", f"{moment:%c}")
    )
    return replace(message, body=json.dumps(data).encode())


def doubled(message: Message, chance: random.Random) -> Message:
    """A name that stands twice, plainly or written with an escape; the genuine value first or last."""
    text = message.body.decode().strip()
    name = chance.choice(list(json.loads(text)))
    written = name if chance.random() < 0.5 else f"\\u{ord(name[0]):04x}{name[1:]}"
    extra = f'"{written}": {json.dumps(chance.choice(("ord_999", "failed", "x", None)))}'
    body = f"{{{extra}, {text[1:]}" if chance.random() < 0.5 else f"{text[:-1]}, {extra}}}"
    return replace(message, body=body.encode())


def structure(message: Message, chance: random.Random) -> Message:
    body, deep = message.body, chance.randrange(33, 50_000)
    ways = (
        b"[" + body + b"]",
        b'{"data":' + body + b"}",
        body + body,
        body + b"\n" + body,
        b"[" * deep + b"]" * deep,
        b'{"a":' * deep + b"1" + b"}" * deep,
        body[:-1] + b',"more":[' + b",".join([b"1"] * chance.randrange(2001, 9000)) + b"]}",
        json.dumps({f"k{number}": number for number in range(chance.randrange(2001, 6000))}).encode(),
        body.replace(b'"', b"'"),
        body.replace(b'"', "“".encode()),
        b"",
    )
    return replace(message, body=chance.choice(ways))


def header(message: Message, chance: random.Random) -> Message:
    """The signature's header: altered, missing, doubled by a comma, of another kind; for Alpha a header that means nothing."""
    genuine = message.headers.get(SIGNATURE, "0" * 64)
    at = chance.randrange(len(genuine))
    ways = (
        genuine[:at] + chance.choice("0123456789abcdef") + genuine[at + 1 :],
        genuine[:at],
        genuine + chance.choice("0 \t,;="),
        f"{genuine},{genuine}",
        f"sha256=sha256={genuine}",
        f"sha1={genuine[:40]}",
        f"SHA256={genuine}",
        base64.b64encode(bytes.fromhex(genuine)).decode(),
        "é" * chance.randrange(1, 80),
        "0" * 64,
        "x" * chance.randrange(1, 9000),
        "",
        "None",
        "\x00" * 64,
    )
    return replace(
        message, headers={**message.headers, SIGNATURE: chance.choice(ways)}, body=altered_if_alpha(message, chance)
    )


def altered_if_alpha(message: Message, chance: random.Random) -> bytes:
    return one_byte(message, chance).body if message.account == "alpha" else message.body


def without_signature(message: Message, chance: random.Random) -> Message:
    data = json.loads(message.body)
    data.pop("signature", None)
    data["note"] = chance.randrange(10**9)
    return replace(message, headers={}, body=json.dumps(data).encode())


TYPES = (
    *("", "text/plain", "text/html", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml"),
    *(
        "multipart/form-data; boundary=x",
        "application/json5",
        "application/jsonp",
        "application/ json",
        "é/é",
        "a" * 3000,
    ),
)


def kind(message: Message, chance: random.Random) -> Message:
    return replace(message, content_type=chance.choice(TYPES))


LENGTHS = ("", "-1", "0", "abc", "1e3", "٣", "²", " 5", "99999999999999999999", "262145", "0x10", "5, 5", "+7", "1.0")


def length(message: Message, chance: random.Random) -> Message:
    shorter = str(chance.randrange(len(message.body)))
    return replace(message, length=chance.choice((*LENGTHS, shorter)))


def too_long(message: Message, chance: random.Random) -> Message:
    return replace(message, body=message.body + b" " * (256 * 1024 + chance.randrange(9)))


def slug(message: Message, chance: random.Random) -> Message:
    known = message.path.split("/")[2]
    at = chance.randrange(len(known))
    other = chance.choice("abcXYZ0189_-é\u202e")
    ways = (
        known[:at] + other + known[at + 1 :] if known[at] != other else known[:at],
        known + other,
        known.swapcase(),
        known[::-1],
        f"{known}%00",
        "x" * chance.randrange(1, 2000),
        f"..%2f{known}",
        f"' or slug='{known}",
        f" {known}",
    )
    wanted = chance.choice(ways)
    return replace(message, path=f"/hooks/{wanted}/")


def method(message: Message, chance: random.Random) -> Message:
    names = (
        "GET",
        "HEAD",
        "PUT",
        "PATCH",
        "DELETE",
        "OPTIONS",
        "TRACE",
        "CONNECT",
        "post",
        "POSTX",
        "PROPFIND",
        "QUERY",
    )
    return replace(message, method=chance.choice(names))


def elsewhere(message: Message, chance: random.Random) -> Message:
    """A genuine message, brought to the other supplier's address."""
    return replace(message, path=f"{message.path}@other", body=spliced(message.body, chance, b" ", 0))


MUTATIONS: tuple[tuple[Mutation, int], ...] = (
    *((one_byte, 12), (piece, 14), (cut_short, 5), (noise, 4), (recoded, 6), (member, 18), (stamp, 5), (doubled, 6)),
    *(
        (structure, 6),
        (header, 9),
        (without_signature, 2),
        (kind, 4),
        (length, 4),
        (too_long, 1),
        (slug, 5),
        (method, 4),
    ),
    *((elsewhere, 3),),
)


def corpus(genuine: list[Message], size: int, seed: int) -> list[Message]:
    """`size` requests, each made from a genuine one by one or two mutations."""
    chance = random.Random(seed)
    kinds, weights = zip(*MUTATIONS, strict=True)
    paths = {message.account: message.path for message in genuine}
    found = []
    for _ in range(size):
        message = chance.choice(genuine)
        message = chance.choices(kinds, weights)[0](message, chance)
        if message.path.endswith("@other"):
            other = next(path for account, path in paths.items() if account != message.account)
            message = replace(message, path=other)
        if chance.random() < 0.25:
            message = chance.choice((kind, length, slug, method))(as_json(message), chance)
        found.append(message)
    return found


def as_json(message: Message) -> Message:
    """The same, with a body that the second mutation can open."""
    return message if len(message.body) > 1 else replace(message, body=b"{}")


HANDLER = ClientHandler(enforce_csrf_checks=True)


def send(message: Message) -> int:
    """The status of the answer; the request takes the way of a web server's, middleware and all."""
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in message.headers.items()}
    request = RequestFactory().generic(message.method, "/hooks/x/", message.body)
    environ = {**request.environ, **headers, "wsgi.input": io.BytesIO(message.body)}
    environ["PATH_INFO"] = unquote_to_bytes(message.path).decode("latin-1")
    environ["CONTENT_TYPE"] = message.content_type
    environ["CONTENT_LENGTH"] = str(len(message.body)) if message.length is None else message.length
    response = HANDLER(environ)
    response.close()
    return int(response.status_code)


def read(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def is_genuine(message: Message, genuine: list[Message]) -> bool:
    """Whether it says, at the right address and under the right signature, nothing but what a supplier sent."""
    body = message.body if message.length is None else message.body[: int(message.length)]
    for one in (one for one in genuine if one.path == message.path and message.method.upper() == "POST"):
        if one.account == "alpha" and read(body) == read(one.body):
            return True
        given = message.headers.get(SIGNATURE, "").removeprefix("sha256=").lower()
        if one.account == "psnb2b" and body == one.body and given == one.headers[SIGNATURE]:
            return True
    return False


def deliveries(shop: Shop, buyer: User) -> list[Message]:
    """What both suppliers send about orders of ours that are still under way."""
    for code in ("alpha", "psnb2b"):
        for quantity in (1, 2):
            order = drafting.submit_order(by=buyer, order=shop.order(buyer, code, quantity))
            place_order(str(order.pk))
    found = []
    for event in shop.sandbox.advance(collect=True):
        account = shop.accounts[event["supplier"]]
        headers = {name: value for name, value in event["headers"].items() if name != "Content-Type"}
        path = reverse("suppliers:hook", args=[account.hook_slug])
        found.append(Message(account.code, path, event["body"].encode(), headers))
    assert {message.account for message in found} == {"alpha", "psnb2b"}
    return found


def everything_that_counts() -> list[Any]:
    """Orders, attempts, accounts and the record, to the last column."""
    tables = (Order, Attempt, SupplierAccount, AuditEvent)
    return [list(table.objects.order_by("pk").values()) for table in tables]


@pytest.mark.requirement("R47", "R48", "R49", "R50", "R51", "R57")
def test_hostile_requests_change_nothing_and_leave_a_bounded_trace(shop: Shop, buyer: User, settings: Any) -> None:
    """No answer of 500, no order touched, nothing taken that a supplier did not send, no more rows than a day allows."""
    settings.WEBHOOK_LIMITS = {"address": (1e6, 10**6), "sender": (1e6, 10**6)}
    genuine = deliveries(shop, buyer)
    requests = corpus(genuine, CORPUS, SEED)
    assert len(requests) == CORPUS
    before, due_before = everything_that_counts(), set(DueWork.objects.values_list("kind", "ref"))
    answers: Counter[int] = Counter()
    with time_machine.travel(timezone.now(), tick=False):
        for message in requests:
            status = send(message)
            answers[status] += 1
            assert status < 500, message
            assert status != 200 or is_genuine(message, genuine), message
    assert everything_that_counts() == before
    woken = {ref for kind, ref in set(DueWork.objects.values_list("kind", "ref")) - due_before if kind == "order.hint"}
    assert woken <= {
        f"{account.pk}:{order.remote_id}" for account in shop.accounts.values() for order in account.orders.all()
    }
    taken = WebhookEvent.objects.filter(result="being_handled")
    assert taken.count() <= len(genuine)
    refused = WebhookEvent.objects.exclude(result="being_handled")
    for account in shop.accounts.values():
        assert refused.filter(account=account).count() <= REFUSED_ROWS_A_DAY
    assert max(len(bytes(blob)) for blob in refused.values_list("body_sealed", flat=True)) < KEPT_OF_REFUSED + 100
    counted = sum(RefusedCount.objects.values_list("count", flat=True))
    assert counted == sum(answers[status] for status in (401, 411, 413, 415))
    assert {401, 404, 405, 411, 413, 415} <= set(answers)
    assert answers[401] > CORPUS * 0.46


@pytest.mark.requirement("R48", "R53")
def test_replayed_deliveries_do_nothing_again_and_later_nothing_at_all(shop: Shop, buyer: User, settings: Any) -> None:
    settings.WEBHOOK_LIMITS = {"address": (1e6, 10**6), "sender": (1e6, 10**6)}
    genuine = deliveries(shop, buyer)
    before, now = everything_that_counts(), timezone.now()
    for _ in range(5):
        assert {send(message) for message in genuine} == {200}
    events = WebhookEvent.objects.count()
    assert events <= len(genuine)
    for later, alpha, psnb2b in ((timedelta(minutes=7), 401, 200), (timedelta(hours=25), 401, 401)):
        with time_machine.travel(now + later, tick=False):
            for message in genuine:
                assert send(message) == (alpha if message.account == "alpha" else psnb2b)
    assert WebhookEvent.objects.filter(result="being_handled").count() == events
    assert everything_that_counts() == before
