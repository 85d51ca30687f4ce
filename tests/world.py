"""One object of each kind, made by the services people use, for tests that open every address."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from procurement.approvals.models import ApprovalRequest
from procurement.bookkeeping import queries as books
from procurement.bookkeeping.models import Deposit
from procurement.catalog.models import Sku
from procurement.catalog.services import draft_mapping, dry_run
from procurement.claims.models import Claim
from procurement.claims.services.cases import open_case
from procurement.claims.services.filing import file_claim
from procurement.orders.models import Code, Order
from procurement.orders.services import drafting
from procurement.reconciliation.models import Day
from procurement.reconciliation.services import reconcile_day
from procurement.staff.models import User
from procurement.suppliers.models import Exchange, WebhookEvent
from procurement.suppliers.services import create_account, pause_account
from tests.conftest import make_person
from tests.orders.conftest import Shop, run_until_settled

SKU_LIST = (
    b"sku,title,region,currency,denomination,active\nPSN-US-10,PlayStation Store Gift Card $10,US,USD,10.00,yes\n"
)


@dataclass
class World:
    """Objects by what they stand for in an address: `orders:order pk` serves every address `orders:order_...`."""

    shop: Shop
    objects: dict[str, Any] = field(default_factory=dict)

    def arguments(self, name: str, wanted: tuple[str, ...]) -> dict[str, Any]:
        """What the address `name` is tried with; KeyError for an address that nobody thought of."""
        return {argument: self.argument(name, argument) for argument in wanted}

    def argument(self, name: str, argument: str) -> Any:
        namespace, _, page = name.rpartition(":")
        for key in (f"{name} {argument}", f"{namespace}:{page.split('_')[0]} {argument}"):
            if key in self.objects:
                return self.objects[key]
        raise KeyError(f"tests/world.py does not say which {argument} to try {name} with")


def build_world(shop: Shop, buyer: User, support: User, drafter: User) -> World:
    """Orders, codes, a case, a claim, an open approval, a draft mapping, an import, a deposit, an event, trouble."""
    order = run_until_settled(drafting.submit_order(by=buyer, order=shop.order(buyer, "psnb2b", 2)))
    assert order.state == "codes_stored"
    waiting = drafting.submit_order(by=buyer, order=shop.order(buyer, "alpha", 20))
    codes = list(Code.objects.filter(order=order).order_by("position"))
    case = open_case(by=support, order=order, code=codes[0], error_text="Not valid", account_region="US")
    claim = claimed(order, codes[1], support)
    deliver_events(shop)
    trouble(shop, buyer)
    sku = Sku.objects.create(code="PSN-US-25", title="US 25", region="US", currency="USD", face_minor=2500)
    product = shop.accounts["alpha"].products.get(region="US", currency="USD", denomination_minor=2500)
    objects = {
        "approvals:request pk": first(ApprovalRequest.objects.filter(subject_id=str(waiting.pk))),
        "bookkeeping:entry pk": books.entry_of_deposit(first(Deposit.objects.all())).pk,
        "catalog:import pk": dry_run(by=drafter, file_name="list.csv", content=SKU_LIST).pk,
        "catalog:import_example name": "example",
        "catalog:mapping pk": draft_mapping(by=drafter, sku=sku, product=product).pk,
        "catalog:product pk": product.pk,
        "catalog:sku pk": sku.pk,
        "claims:case pk": case.pk,
        "claims:claim pk": claim.pk,
        "claims:claim_new pk": case.pk,
        "orders:code pk": codes[0].pk,
        "orders:order pk": order.pk,
        "orders:order_cancel pk": shop.order(None, "alpha", 1).pk,
        "orders:outcome pk": order.pk,
        "suppliers:account pk": shop.accounts["alpha"].pk,
        "suppliers:exchange request_id": Exchange.objects.values_list("request_id", flat=True)[0],
        "suppliers:hook slug": shop.accounts["alpha"].hook_slug,
        "suppliers:webhook pk": first(WebhookEvent.objects.all()),
    }
    today = timezone.now().date()
    day = reconcile_day(by=None, account=shop.accounts["psnb2b"], currency="USD", day=today)
    objects |= {f"reconciliation:day {name}": value for name, value in address_of(day).items()}
    return World(shop, {key: getattr(value, "pk", value) for key, value in objects.items()})


def address_of(day: Day) -> dict[str, str]:
    return {"code": day.account.code, "currency": day.currency, "day": day.day.isoformat()}


def trouble(shop: Shop, buyer: User) -> None:
    """What the overview must name: a paused account, an order nobody is sure of, a delivery that came short."""
    short = drafting.submit_order(by=buyer, order=shop.order(buyer, "alpha", 3))
    shop.sandbox.arm("alpha", "part_delivery", codes=1, refund=False)
    assert run_until_settled(short).state == "partial"
    unsure = drafting.submit_order(by=buyer, order=shop.order(buyer, "psnb2b", 1))
    shop.sandbox.arm("psnb2b", "answer_lost")
    assert run_until_settled(unsure).state == "unknown"
    third = create_account(
        by=None,
        code="third",
        name="Third",
        dialect="alpha",
        base_url="http://supplier.test/v1",
        settlement_currency="USD",
    )
    pause_account(by=make_person("paula_pauser", "admin"), account=third, reason="Waiting for a new contract")


def first(rows: QuerySet[Any]) -> Any:
    return rows.order_by("pk")[0]


def claimed(order: Order, code: Code, agent: User) -> Claim:
    """A claim filed over the API for a code that came for another region."""
    Code.objects.filter(pk=code.pk).update(region="TR", state="wrong_region")
    code.refresh_from_db()
    case = open_case(by=agent, order=order, code=code, error_text="Not valid in this region", account_region="US")
    return file_claim(by=agent, case=case, reason="wrong_region")


def deliver_events(shop: Shop) -> list[int]:
    """Bring the webhooks the sandbox collected to the addresses it would have sent them to; the answers' statuses."""
    client = Client(enforce_csrf_checks=True)
    answers = []
    for event in shop.sandbox.advance(collect=True):
        account = shop.accounts[event["supplier"]]
        answer = client.post(
            reverse("suppliers:hook", args=[account.hook_slug]),
            event["body"],
            content_type="application/json",
            headers={name: value for name, value in event["headers"].items() if name != "Content-Type"},
        )
        answers.append(answer.status_code)
    return answers
