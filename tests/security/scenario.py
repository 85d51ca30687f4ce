"""A day at the desk with values that are looked for afterwards."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from django.test import Client
from django.urls import reverse

from procurement.claims.models import Case
from procurement.orders.models import Code, DeliveryFile, Order
from procurement.orders.services import drafting
from procurement.orders.services.placing import place_order
from procurement.staff.models import User
from procurement.suppliers.clients import client_for
from procurement.suppliers.models import Exchange, SupplierAccount, WebhookEvent
from procurement.vault import Purpose, open_sealed
from procurement.web.once import new_token
from procurement.work import bell
from procurement.work.runner import run_due
from procurement.work.services import make_due
from tests.conftest import make_person
from tests.fixtures_sandbox import KEYS
from tests.orders.conftest import Shop, run_until_settled, work_for
from tests.orders.revealing import ask
from tests.security.canaries import Canary
from tests.staff.apps_of_people import Phone, seed_in
from tests.suppliers.conftest import NO_LIMITS

WHY = "The customer says that it was used already"
# Characters that every kind of escaping writes differently, and that a header may still hold.
ODD = "\"'\\<&>%+/=;"


@dataclass
class Stage:
    """The shop, its people, and what was let loose so far. Nothing raises: an answer of 500 is looked at like any other."""

    shop: Shop
    people: dict[str, User]
    canaries: list[Canary] = field(default_factory=list)
    clients: dict[str, Client] = field(default_factory=dict)

    def plant(self, kind: str, name: str, value: str) -> str:
        self.canaries.append(Canary(kind, name, value))
        return value

    def as_(self, role: str) -> Client:
        if role not in self.clients:
            self.clients[role] = Client(raise_request_exception=False)
            self.clients[role].force_login(self.people[role])
        return self.clients[role]

    def stranger(self) -> Client:
        """Somebody without a session."""
        return Client(raise_request_exception=False)

    def send(self, role: str, name: str, *args: Any, query: str = "", **data: Any) -> Any:
        data = {"once": new_token(), **data}
        return self.as_(role).post(reverse(name, args=args) + query, data)


def set_the_stage(shop: Shop) -> Stage:
    # The suppliers' own limits are no part of this either.
    SupplierAccount.objects.update(settings=NO_LIMITS)
    for account in shop.accounts.values():
        account.refresh_from_db()
    roles = ("buyer", "manager", "support", "admin", "auditor")
    return Stage(shop, {role: make_person(f"{role}_of_the_sweep", role) for role in roles})


def random_word() -> str:
    return secrets.token_hex(8)


# --- a day ---


def set_credentials(stage: Stage) -> None:
    """An administrator types keys and secrets: one that the supplier refuses, then those that are used from then on."""
    for code, account in stage.shop.accounts.items():
        refused = stage.plant("key", f"{code}: a refused API key", f"ref-{random_word()}{ODD}")
        stage.send("admin", "suppliers:account_key", account.pk, kind="api_key", **{"api_key-value": refused})
        for kind, prefix in (("api_key", "key"), ("webhook", "hook")):
            value = stage.plant("key", f"{code}: {kind}", f"{prefix}-{random_word()}{ODD}")
            changes = {"api_keys": [KEYS[code], value]} if kind == "api_key" else {"webhook_secret": value}
            stage.shop.sandbox.account(code, **changes)
            stage.send("admin", "suppliers:account_key", account.pk, kind=kind, **{f"{kind}-value": value})
        account.refresh_from_db()
        assert (account.api_key_last4, account.webhook_secret_last4) == (ODD[-4:], ODD[-4:])


def order_codes(stage: Stage, supplier: str = "psnb2b", quantity: int = 1) -> list[Code]:
    """A buyer orders; the codes that come are looked for from then on."""
    order = drafting.submit_order(
        by=stage.people["buyer"], order=stage.shop.order(stage.people["buyer"], supplier, quantity)
    )
    run_until_settled(order)
    return planted_codes(stage, order)


def crashing_delivery(stage: Stage) -> None:
    """A delivery that ends in an error whatever is done; its codes are looked for as the supplier has them."""
    buyer = stage.people["buyer"]
    order = drafting.submit_order(by=buyer, order=stage.shop.order(buyer, "psnb2b", 1))
    place_order(str(order.pk))
    check_by_the_loop(order)
    order.refresh_from_db()
    for remote in client_for(order.account).read_codes(order.remote_id):
        stage.plant("code", f"a code of {order.client_order_id}", remote.code.expose())


def check_by_the_loop(order: Order) -> None:
    make_due("order.check", str(order.pk))
    work_for(60, "order.check", every=15)


def planted_codes(stage: Stage, order: Order) -> list[Code]:
    codes = list(order.codes.select_related("order__account", "account").order_by("position"))
    for code in codes:
        stage.plant("code", f"code {code.position} of {order.client_order_id}", opened(code))
    return codes


def opened(code: Code) -> str:
    return open_sealed(code.sealed, purpose=Purpose.CODE, context=code.context()).expose()


def grouped(code: Code) -> str:
    text = opened(code)
    return "-".join(text[place : place + 4] for place in range(0, len(text), 4))


def receive_webhooks(stage: Stage, code: Code) -> None:
    """The suppliers' own messages, and a stranger's that repeats a code, in a body that is kept and one that is broken."""
    account = code.account
    for event in stage.shop.sandbox.advance(collect=True):
        url = reverse("suppliers:hook", args=[stage.shop.accounts[event["supplier"]].hook_slug])
        headers = {name: value for name, value in event["headers"].items() if name != "Content-Type"}
        stage.stranger().post(url, event["body"], content_type="application/json", headers=headers)
    for body in ({"order_id": "x", "codes": [{"code": grouped(code)}]}, {"note": f"ours is {opened(code)}"}):
        for raw in (json.dumps(body), json.dumps(body)[:-3]):
            url = reverse("suppliers:hook", args=[account.hook_slug])
            stage.stranger().post(url, raw, content_type="application/json", headers={"X-PSNB2B-Signature": "0" * 64})


def look_for(stage: Stage, code: Code) -> None:
    """Support pastes the code into the search, and into the desk's own."""
    for written in (grouped(code), opened(code).lower()):
        stage.send("support", "search", q=written)
        stage.send("support", "claims:case_find", find=written)


def open_case(stage: Stage, code: Code) -> Case | None:
    """The customer's words repeat the code."""
    Code.objects.filter(pk=code.pk).update(region="TR", state="wrong_region")
    words = f"My code {grouped(code)} does not work, see {opened(code).lower()}"
    fields = {"code": str(code.pk), "error_text": words, "account_region": "US", "customer_order": "10421"}
    stage.send("support", "claims:case_new", query=f"?code={code.pk}", **fields)
    return Case.objects.filter(code=code).first()


def reveal(stage: Stage, code: Code, case: Case | None = None) -> None:
    """Shown, copied, refused for want of a reason, asked for by somebody who may not; the reason repeats the code."""
    ground = f"case:{case.pk}" if case else f"order:{code.order_id}"
    person = stage.as_("support" if case else "manager")
    why = f"{WHY}: {grouped(code)}"
    for action in ("reveal", "copy"):
        ask(person, code, ground, action, reason=why)
        ask(person, code, ground, action, headers={"HX-Request": "true"})
        ask(person, code, ground, action, reason="no")
        ask(stage.as_("auditor"), code, ground, action)


def file_claim(stage: Stage, case: Case) -> None:
    fields = {"reason": "wrong_region", "description": "Another region than ordered"}
    stage.send("support", "claims:claim_new", case.pk, **fields)


def hand_over(stage: Stage, code: Code) -> None:
    """To one customer order by its page; somebody pastes the code where the customer order belongs."""
    stage.as_("buyer").get(reverse("orders:code_hand_over", args=[code.pk]))
    for written in (opened(code), opened(code).lower(), f"{grouped(code)}, please", "SHOP-1"):
        stage.send("buyer", "orders:code_hand_over", code.pk, customer_order=written)
    code.refresh_from_db()
    assert (code.state, code.customer_order) == ("handed_over", "SHOP-1")


def fetch_file(stage: Stage, code: Code) -> Any:
    """Asked for by one, released by another, fetched with a passphrase: the last answer. The reason repeats the code."""
    passphrase = stage.plant("password", "a passphrase", f"pass {random_word()} {ODD}")
    customer = f"SHOP-{code.last4}"
    stage.send("buyer", "orders:order_deliver", code.order_id, customer_orders=customer, reason=f"Of {grouped(code)}")
    file = DeliveryFile.objects.order_by("-requested_at")[0]
    stage.send("manager", "orders:delivery_release", file.pk)
    stage.send("buyer", "orders:delivery_fetch", file.pk, passphrase=passphrase, again="another")
    return stage.send("buyer", "orders:delivery_fetch", file.pk, passphrase=passphrase, again=passphrase)


def set_up_factor(stage: Stage) -> None:
    """A person sets up an authenticator app, signs out, and signs in by password and code; first wrongly."""
    password = stage.plant("password", "password", f"pw {random_word()} {ODD}")
    wrong = stage.plant("password", "a wrong password", f"wr {random_word()} {ODD}")
    user = make_person(f"factor_{random_word()}", "support")
    user.set_password(password)
    user.save()
    client = stage.stranger()
    for typed in (wrong, password):
        client.post(reverse("login"), {"username": user.username, "password": typed})
    client.post(reverse("staff:factor_begin"))
    page = client.get(reverse("staff:factor"))
    seed = seed_in(page.content.decode())
    stage.plant("factor", "TOTP seed", base64.b32encode(seed).decode())
    stage.plant("factor", "TOTP seed in bytes", seed.hex())
    phone = Phone(seed, [])
    client.post(reverse("staff:factor"), {"proof": "000000"})
    client.post(reverse("staff:factor"), {"proof": phone.code()})
    client.post(reverse("logout"))
    client.post(reverse("login"), {"username": user.username, "password": password})
    client.post(reverse("login_code"), {"proof": phone.code(1)})


def come_back_late(stage: Stage, code: Code) -> None:
    """Forms that are sent after the session ended: what may hold a code or a key must not wait for the sign-in."""
    account = code.account
    value = stage.plant("key", "an API key sent too late", f"late-{random_word()}{ODD}")
    late = stage.stranger()
    late.post(reverse("search"), {"q": grouped(code)})
    late.post(reverse("suppliers:account_key", args=[account.pk]), {"kind": "api_key", "api_key-value": value})
    ask(late, code, f"order:{code.order_id}", reason=f"{WHY} {grouped(code)}")


def look_around(stage: Stage, case: Case | None) -> None:
    """Everybody's pages and exports of what happened."""
    orders = Order.objects.values_list("pk", flat=True)
    pages: list[tuple[str, str, list[Any]]] = [
        *(("manager", "orders:order_detail", [pk]) for pk in orders),
        *(("admin", "suppliers:account_detail", [one.pk]) for one in stage.shop.accounts.values()),
        *(("admin", "suppliers:account_key", [one.pk]) for one in stage.shop.accounts.values()),
        *(("admin", "suppliers:exchange_detail", [pk]) for pk in Exchange.objects.values_list("request_id", flat=True)),
        *(("admin", "suppliers:webhook_detail", [pk]) for pk in WebhookEvent.objects.values_list("pk", flat=True)),
        *(("support", "claims:case_detail", [case.pk]) for case in ([case] if case else [])),
        *(("manager", "orders:code_trail", [pk]) for pk in Code.objects.values_list("pk", flat=True)),
        *(("buyer", "orders:order_deliver", [pk]) for pk in orders),
        *(
            (role, "orders:delivery_detail", [pk])
            for pk in DeliveryFile.objects.values_list("pk", flat=True)
            for role in ("buyer", "manager")
        ),
        ("support", "overview", []),
        ("admin", "overview", []),
    ]
    for role, name, args in pages:
        stage.as_(role).get(reverse(name, args=args))
    lists = {
        "manager": ("orders:order_list", "catalog:sku_list", "orders:delivery_list", "claims:case_list"),
        "auditor": (
            "audit:event_list",
            "suppliers:webhook_list",
            "bookkeeping:deposit_list",
            "reconciliation:day_list",
        ),
    }
    for role, names in lists.items():
        for name in names:
            for form in ("", "csv", "xlsx"):
                stage.as_(role).get(reverse(name), {"format": form} if form else {})


def wake_a_worker(stage: Stage, code: Code) -> None:
    """Messages to the broker; several pieces of work run by the loop, one that fails on a code."""
    make_due("order.check", str(code.order_id))
    assert bell.BELL.attempt()
    run_due()


def a_whole_day(stage: Stage) -> None:
    """Everything once, in the order in which it happens."""
    set_credentials(stage)
    first, second, third, fourth = order_codes(stage, "psnb2b", 4)
    order_codes(stage, "alpha", 1)
    receive_webhooks(stage, first)
    look_for(stage, first)
    case = open_case(stage, first)
    assert case is not None
    reveal(stage, first, case)
    reveal(stage, second)
    file_claim(stage, case)
    hand_over(stage, third)
    assert fetch_file(stage, fourth)["Content-Disposition"].endswith('.csdf"')
    set_up_factor(stage)
    come_back_late(stage, second)
    wake_a_worker(stage, first)
    look_around(stage, case)
