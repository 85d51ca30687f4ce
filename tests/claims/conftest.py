"""A delivered order with sealed codes at either supplier, and a supplier that answers as told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.utils import timezone

from procurement.bookkeeping import deposits
from procurement.catalog.models import Mapping, Product, Sku
from procurement.claims.models import Case
from procurement.claims.services.cases import open_case
from procurement.orders.models import Code, Delivery, Order
from procurement.staff.models import User
from procurement.suppliers import services as suppliers
from procurement.suppliers.models import SupplierAccount
from procurement.vault import Purpose, fingerprints, last4, normalise_code, seal

CODE = "TST0-7K3M-ZZ42"


@pytest.fixture
def account(db: None) -> SupplierAccount:
    """PSN:B2B, which takes claims over its API."""
    return connect("psnb2b", "PSN:B2B")


@pytest.fixture
def by_hand(db: None) -> SupplierAccount:
    """Alpha, which takes none."""
    return connect("alpha", "Alpha PSN")


def connect(dialect: str, name: str) -> SupplierAccount:
    made = suppliers.create_account(
        by=None,
        code=dialect,
        name=name,
        dialect=dialect,
        base_url="http://supplier.test/api",
        settlement_currency="USD",
    )
    suppliers.set_api_key(by=None, account=made, key=f"key-of-{dialect}-0001")
    return made


@pytest.fixture
def make_order(manager: User) -> Callable[..., Order]:
    """An order whose facts a test chooses; delivered an hour ago unless told otherwise."""

    def make(account: SupplierAccount, **facts: Any) -> Order:
        number = Order.objects.count() + 1
        region = facts.get("region", "US")
        product, _ = Product.objects.get_or_create(
            account=account,
            external_id=f"{region}-50",
            defaults={"name": f"{region} 50", "region": region, "currency": "USD", "denomination_minor": 5000},
        )
        sku, _ = Sku.objects.get_or_create(
            code=f"PSN-{facts.get('sold_region', 'US')}-50",
            defaults={
                "title": "PlayStation Store 50 USD",
                "region": facts.get("sold_region", "US"),
                "currency": "USD",
                "face_minor": 5000,
            },
        )
        mapping, _ = Mapping.objects.get_or_create(
            sku=sku,
            product=product,
            account=account,
            number=3,
            defaults={"activated_by": manager, "activated_at": timezone.now()},
        )
        given: dict[str, Any] = {
            "client_order_id": f"ORDER-{1000 + number}",
            "sku": sku,
            "mapping": mapping,
            "product": product,
            "account": account,
            "sold_region": "US",
            "sold_currency": "USD",
            "sold_face_minor": 5000,
            "region": "US",
            "face_currency": "USD",
            "face_minor": 5000,
            "quantity": 3,
            "unit_cost_minor": 4620,
            "cost_currency": "USD",
            "price_read_at": timezone.now(),
            "state": "codes_stored",
            "remote_id": f"psb_{number}",
            "placed_at": timezone.now() - timedelta(hours=2),
        }
        return Order.objects.create(**{**given, **facts})

    return make


@pytest.fixture
def make_code() -> Callable[..., Code]:
    """A code in custody; `text` is sealed as the real thing is."""

    def make(order: Order, text: str = CODE, **facts: Any) -> Code:
        delivery = Delivery.objects.create(order=order, count=1, checksum="0" * 64)
        given: dict[str, Any] = {
            "account": order.account,
            "position": order.codes.count() + 1,
            "region": "US",
            "face_minor": 5000,
            "available_at": timezone.now() - timedelta(hours=1),
        }
        code = Code(
            order=order,
            delivery=delivery,
            **fingerprints([text])[0]._asdict(),
            last4=last4(text),
            **{**given, **facts},
        )
        code.sealed = seal(normalise_code(text), purpose=Purpose.CODE, context=code.context())
        code.save(force_insert=True)
        return code

    return make


@pytest.fixture
def wrong_code(account: SupplierAccount, make_order: Callable[..., Order], make_code: Callable[..., Code]) -> Code:
    """Ordered for US, delivered for TR, handed over to the customer's order 10421."""
    return make_code(make_order(account), region="TR", state="handed_over", customer_order="10421")


@pytest.fixture
def case(support: User, wrong_code: Code) -> Case:
    """A customer's report about the wrong code: the supplier's fault."""
    return open_case(
        by=support,
        order=wrong_code.order,
        code=wrong_code,
        customer_order="10421",
        error_text="Not valid in this region",
    )


def code_of(case: Case) -> Code:
    """The case's code as the database has it now."""
    assert case.code_id is not None
    return Code.objects.get(pk=case.code_id)


class FakeSupplier:
    """Answers every call with what `answer` holds, and keeps what was sent."""

    def __init__(self) -> None:
        self.calls: list[httpx.Request] = []
        self.answer: Callable[[httpx.Request], httpx.Response] = lambda request: reply(
            201, {"id": "clm_81b2", "status": "received"}
        )

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        return self.answer(request)

    def says(self, status: int, data: Any) -> None:
        self.answer = lambda request: reply(status, data)

    def refuses(self, code: str) -> None:
        self.says(422, {"error": {"code": code, "message": "No."}})

    def fails(self, error: type[httpx.HTTPError]) -> None:
        def fail(request: httpx.Request) -> httpx.Response:
            raise error("cut")

        self.answer = fail


def reply(status: int, data: Any) -> httpx.Response:
    return httpx.Response(status, json=data, headers={"X-RateLimit-Remaining": "50", "Retry-After": "0"})


@pytest.fixture
def supplier(settings: Any) -> FakeSupplier:
    fake = FakeSupplier()
    settings.SUPPLIER_TRANSPORT = lambda account: httpx.MockTransport(fake)
    return fake


@pytest.fixture
def money(account: SupplierAccount) -> None:
    """1,000.00 USD at the supplier, of which the wrong code's order cost something."""
    deposits.open_book(
        account=account,
        amount_minor=100_000,
        currency="USD",
        credited_on=timezone.now().date(),
        reference="INV-1",
    )
