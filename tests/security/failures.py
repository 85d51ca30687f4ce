"""Something fails in every layer, with an error that quotes all that was in its hands; what is then said and kept is searched."""

from __future__ import annotations

import base64
import pkgutil
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from smtplib import SMTPException
from typing import Any

import httpx
import pytest
from django.db import DatabaseError, connection
from django.db.models import Model
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.template import Context
from django.urls import reverse

from procurement.orders.models import Code
from procurement.orders.services import drafting
from procurement.orders.services.placing import place_order
from procurement.vault import Secret
from procurement.web.once import new_token
from procurement.work.tasks import run_due_task
from tests.conftest import make_person
from tests.fixtures_sandbox import KEYS
from tests.orders.conftest import run_until_settled
from tests.orders.revealing import ask
from tests.security import scenario
from tests.security.scenario import ODD, Stage, check_by_the_loop, order_codes, planted_codes, random_word
from tests.staff.apps_of_people import with_phone

# How the sandbox's codes begin; keys and passwords of the scenario end with ODD.
OF_CODES = "TST0"
# More tries than any act needs to fail at all its places one after another.
TRIES = 14


class Forced(Exception):
    """Not one of our own errors: nothing turns it into a sentence."""


# Kinds of errors that our own code expects at a place.
EXPECTED: dict[str, type[Exception]] = {
    "procurement.suppliers.clients.transport.OneCallTransport.handle_request": httpx.ReadError,
    "procurement.people.mailing.send_mail": SMTPException,
}


def quoted(value: Any) -> str:
    """What a careless error would say of a value: all that is in it, secrets in the clear."""
    if isinstance(value, Secret):
        return f"{value.expose_bytes().decode('latin-1')} {value.expose_bytes().hex()}"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("latin-1")
    if isinstance(value, (HttpRequest, HttpResponse, BaseForm, Context, httpx.Request)):
        return quoted(inside(value))
    if isinstance(value, dict):
        return " ".join(f"{name}={quoted(inner)}" for name, inner in value.items())
    if isinstance(value, (list, tuple, set)):
        return " ".join(quoted(inner) for inner in value)
    has_fields = hasattr(value, "__dataclass_fields__") and not isinstance(value, type)
    return quoted(vars(value)) if has_fields else str(value) if isinstance(value, (str, int, Model)) else repr(value)


def inside(value: Any) -> Any:
    if isinstance(value, HttpRequest):
        return value.POST.dict()
    if isinstance(value, BaseForm):
        return value.cleaned_data if value.is_bound and value.is_valid() else value.data
    if isinstance(value, Context):
        return [layer.get("secret", "") for layer in value.dicts]
    return dict(value.headers) if isinstance(value, httpx.Request) else value.content


@dataclass
class Broken:
    """What is to fail, each place once, and only when `word` stands in what it has in its hands; and what was said."""

    places: dict[str, str]
    statements: Sequence[str]
    said: dict[str, str] = field(default_factory=dict)

    def left(self) -> list[str]:
        return [place for place in (*self.places, *self.statements) if place not in self.said]

    def failing(self, place: str) -> Callable[..., Any]:
        does = pkgutil.resolve_name(place)
        expected, word = EXPECTED.get(place), self.places[place]

        def fail(*args: Any, **kwargs: Any) -> Any:
            if place in self.said:
                return does(*args, **kwargs)
            # An expected error comes instead of what is done; any other right after it, when there is most to quote.
            result = None if expected else does(*args, **kwargs)
            told = quoted((args, kwargs, result))
            if word in told:
                self.said[place] = told
                raise (expected or Forced)(told)
            return does(*args, **kwargs) if expected else result

        return fail

    def fail_statement(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        for statement in self.statements:
            if statement not in self.said and sql.startswith(statement):
                self.said[statement] = quoted(params)
                raise DatabaseError(f"{sql} with {quoted(params)}") from ValueError(quoted(params))
        return execute(sql, params, many, context)


@contextmanager
def broken(found: Broken) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, connection.execute_wrapper(found.fail_statement):
        for place in found.places:
            patch.setattr(place, found.failing(place))
        yield


# --- what somebody does meanwhile ---

# Gets everything ready, yields what is done again and again while something is broken, and tidies up afterwards.
Act = Callable[[Stage, Broken], Iterator[Callable[[], object]]]


def last_code() -> Code:
    return Code.objects.select_related("order__account", "account").order_by("-stored_at", "-position")[0]


def deliveries(stage: Stage, found: Broken) -> Iterator[Callable[[], object]]:
    """By the work loop, which keeps what went wrong and tries again."""
    buyer = stage.people["buyer"]
    order = drafting.submit_order(by=buyer, order=stage.shop.order(buyer, "psnb2b", 1))
    place_order(str(order.pk))
    yield lambda: check_by_the_loop(order)
    planted_codes(stage, run_until_settled(order))


def reveals(stage: Stage, found: Broken) -> Iterator[Callable[[], object]]:
    code = last_code()
    manager, ground = stage.as_("manager"), f"order:{code.order_id}"
    why = f"{scenario.WHY}: {scenario.grouped(code)}"
    yield lambda: (ask(manager, code, ground, reason=why), ask(manager, code, ground, "copy", reason=why))


def searches(stage: Stage, found: Broken) -> Iterator[Callable[[], object]]:
    text = scenario.opened(last_code())
    yield lambda: stage.send("support", "search", q=text)


def webhooks(stage: Stage, found: Broken) -> Iterator[Callable[[], object]]:
    code = last_code()
    yield lambda: scenario.receive_webhooks(stage, code)


def keys(stage: Stage, found: Broken) -> Iterator[Callable[[], object]]:
    account = stage.shop.accounts["alpha"]
    value = stage.plant("key", "a key that fails", f"new-{random_word()}{ODD}")
    stage.shop.sandbox.account("alpha", api_keys=[KEYS["alpha"], value])
    yield lambda: [
        stage.send("admin", "suppliers:account_key", account.pk, kind=kind, **{f"{kind}-value": value})
        for kind in ("api_key", "webhook")
    ]


def cases(stage: Stage, found: Broken) -> Iterator[Callable[[], object]]:
    codes = iter(order_codes(stage, "psnb2b", 3))

    def complain() -> None:
        case = scenario.open_case(stage, next(codes))
        if case:
            scenario.file_claim(stage, case)

    yield complain


def files(stage: Stage, found: Broken) -> Iterator[Callable[[], object]]:
    """A file whose making failed is asked for again."""
    (code,) = order_codes(stage)
    yield lambda: scenario.fetch_file(stage, code)


def sign_ins(stage: Stage, found: Broken) -> Iterator[Callable[[], object]]:
    password = stage.plant("password", "a password", f"pw {random_word()} {ODD}")
    user = make_person(f"signing_in_{random_word()}", "support")
    user.set_password(password)
    user.save()
    phone = with_phone(user)
    for name, value in (("in base32", base64.b32encode(phone.seed).decode()), ("in hex", phone.seed.hex())):
        stage.plant("factor", f"a TOTP seed {name}", value)
    for code in phone.recovery:
        stage.plant("factor", "a recovery code", code)
    proofs = iter(phone.recovery)

    def sign_in() -> None:
        client = stage.stranger()
        client.post(reverse("login"), {"username": user.username, "password": password})
        client.post(reverse("login_code"), {"proof": next(proofs)})

    yield sign_in


def late_forms(stage: Stage, found: Broken) -> Iterator[Callable[[], object]]:
    code = last_code()
    yield lambda: scenario.come_back_late(stage, code)


def invitations(stage: Stage, found: Broken) -> Iterator[Callable[[], object]]:
    """Links that never went out: nobody may read them anywhere but on the page that shows one."""

    def invite() -> None:
        name = f"new{random_word()}"
        fields = {"once": new_token(), "username": name, "name": name, "email": f"{name}@cards.example"}
        stage.as_("admin").post(reverse("people:person_invite"), fields)

    yield invite
    for token in set(re.findall(r"/join/([\w-]+)/", " ".join(found.said.values()))):
        stage.plant("link", "the link of an invitation", token)


def exports(stage: Stage, found: Broken) -> Iterator[Callable[[], object]]:
    yield lambda: [
        stage.as_("manager").get(reverse("orders:delivery_list"), {"format": form}) for form in ("csv", "xlsx")
    ]


def rings(stage: Stage, found: Broken) -> Iterator[Callable[[], object]]:
    """A worker gets the message that something is due."""
    yield run_due_task.apply


# What somebody does, the places that fail meanwhile with what they must have in their hands to fail, and statements.
FAILURES: list[tuple[Act, dict[str, str], Sequence[str]]] = [
    (
        deliveries,
        {
            # the supplier's client, its transport, and what is recorded of a call
            "procurement.suppliers.clients.transport.OneCallTransport.handle_request": ODD[-4:],
            "procurement.suppliers.clients.http._headers": ODD,
            "procurement.suppliers.clients.http.parse": OF_CODES,
            "procurement.suppliers.clients.recording.readable": OF_CODES,
            # the service, the vault, the record
            "procurement.vault.primitives.mac": OF_CODES,
            "procurement.orders.services.receiving.seal": OF_CODES,
            "procurement.vault.primitives.encrypt": OF_CODES,
            "procurement.orders.services.receiving.build_code": OF_CODES,
            "procurement.orders.services.receiving.settle_state": "",
        },
        ['INSERT INTO "orders_code"', 'UPDATE "orders_order"', 'INSERT INTO "suppliers_exchange"'],
    ),
    (
        reveals,
        {
            "procurement.orders.views.codes.reveal_code": OF_CODES,
            "procurement.orders.services.revealing.record": "",
            "procurement.orders.services.revealing.open_sealed": OF_CODES,
            "procurement.vault.primitives.decrypt": OF_CODES,
            "procurement.orders.services.revealing.note_outcome": "",
            "procurement.orders.views.codes.show_code": OF_CODES,
            "procurement.orders.views.codes.render": OF_CODES,
            "django.template.loader_tags.IncludeNode.render": OF_CODES,
            "procurement.orders.views.codes.JsonResponse": OF_CODES,
            "procurement.orders.views.codes.not_kept": OF_CODES,
        },
        ['INSERT INTO "orders_reveal"', 'UPDATE "orders_reveal"', 'INSERT INTO "audit_auditevent"'],
    ),
    (
        searches,
        {"procurement.desk.views.find": OF_CODES, "procurement.vault.primitives.mac": OF_CODES},
        ['SELECT "orders_code"'],
    ),
    (
        webhooks,
        {
            "procurement.suppliers.hooks.receive": OF_CODES,
            "procurement.suppliers.webhooks.secret_bytes": ODD,
            "procurement.suppliers.receiving.seal": OF_CODES,
        },
        ['INSERT INTO "suppliers_webhookevent"'],
    ),
    (
        keys,
        {
            "procurement.suppliers.views._store": ODD,
            "procurement.suppliers.services.checked_credential": ODD,
            "procurement.suppliers.services.try_key": ODD,
            "procurement.suppliers.services.seal": ODD,
            "procurement.suppliers.services.record": "",
        },
        ['UPDATE "suppliers_supplieraccount"'],
    ),
    (
        cases,
        {
            "procurement.claims.views.cases.opened": OF_CODES,
            "procurement.claims.services.filing.open_sealed": OF_CODES,
        },
        [],
    ),
    (
        files,
        {
            "procurement.orders.services.handing_over.table_of": OF_CODES,
            "procurement.orders.services.handing_over.seal_with_passphrase": ODD,
            "procurement.orders.services.handing_over.make_file": ODD,
        },
        ['UPDATE "orders_deliveryfile"'],
    ),
    (
        sign_ins,
        {
            "procurement.staff.signing_in.authenticate": ODD,
            "procurement.staff.factor._seed": "",
            "procurement.staff.signing_in.check": "",
            "procurement.staff.signing_in.login": "",
        },
        ['INSERT INTO "staff_session"'],
    ),
    (late_forms, {"procurement.web.middleware.resume.keep": OF_CODES}, []),
    (
        invitations,
        {"procurement.people.mailing.send_mail": "/join/", "procurement.people.views.mail_link": "/join/"},
        [],
    ),
    (exports, {"procurement.web.lists.table_response": ""}, []),
    (rings, {"procurement.work.tasks.run_due": ""}, ['UPDATE "work_duework"']),
]


def fail_everywhere(stage: Stage) -> list[str]:
    """Do everything while each place fails once; the places that never did."""
    return [place for act, places, statements in FAILURES for place in fail_at(stage, act, places, statements).left()]


def fail_at(stage: Stage, act: Act, places: dict[str, str], statements: Sequence[str] = ()) -> Broken:
    found = Broken(places, statements)
    steps = act(stage, found)
    attempt = next(steps)
    with broken(found):
        for _ in range(TRIES):
            if found.left():
                attempt()
    next(steps, None)
    return found
