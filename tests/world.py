"""One object of each kind, made by the services people use, for tests that open every address."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from procurement.approvals.models import ApprovalRequest
from procurement.bookkeeping import corrections, deposits
from procurement.bookkeeping import queries as books
from procurement.bookkeeping.models import Correction, Deposit, Evidence
from procurement.catalog.models import Sku
from procurement.catalog.services import draft_mapping, dry_run
from procurement.claims.models import Claim
from procurement.claims.services.cases import open_case
from procurement.claims.services.filing import file_claim
from procurement.custody.models import Destruction
from procurement.onboarding.services import start_probe
from procurement.orders.models import Code, CodeImport, Order, Reveal, RevealAlert, UnclaimedOrder
from procurement.orders.services import drafting
from procurement.orders.services.bringing_in import upload_codes
from procurement.orders.services.handing_over import request_file
from procurement.people.invitations import invite
from procurement.people.proposals import propose
from procurement.reconciliation.evidence import add_day_evidence
from procurement.reconciliation.models import AccountStatement, Day, Difference
from procurement.reconciliation.services import reconcile_day
from procurement.reconciliation.statements import dry_run_statement
from procurement.staff.models import User
from procurement.suppliers.models import Exchange, SupplierAccount, WebhookEvent
from procurement.suppliers.services import create_account, pause_account
from procurement.terms import asking
from procurement.terms.services import Said, confirm_statement, record_statement
from procurement.vault.models import CryptoKey
from tests.conftest import make_person
from tests.orders.conftest import Shop, run_until_settled

SKU_LIST = (
    b"sku,title,region,currency,denomination,active\nPSN-US-10,PlayStation Store Gift Card $10,US,USD,10.00,yes\n"
)

ACCESS = {
    "company": "Cards Ltd",
    "company_details": "HRB 1234, Hafenstr. 1, 20457 Hamburg",
    "business_account": "desk@cards.example",
    "buyer_type": "retailer",
    "regions": "US, GB, DE",
    "expected_volume": "200 codes a week, about 6,000 USD",
    "monthly_volume": "25,000 USD",
    "payment_preference": "USDT",
    "delivery": "api",
    "use_case": "Codes for the orders of our storefront",
}


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
    deposit, document = announced(shop, make_person("dina_deposits", "finance"))
    objects = {
        "staff:session key": "0" * 64,
        "staff:sign pk": buyer.pk,
        "approvals:request pk": first(ApprovalRequest.objects.filter(subject_id=str(waiting.pk))),
        "bookkeeping:entry pk": books.entry_of_deposit(first(Deposit.objects.filter(state="credited"))),
        "bookkeeping:correction pk": corrected(shop, make_person("cora_corrects", "finance")),
        "bookkeeping:deposit pk": deposit.pk,
        "bookkeeping:deposit number": document.pk,
        "bookkeeping:deposit step": "confirmed",
        "catalog:import pk": dry_run(by=drafter, file_name="list.csv", content=SKU_LIST).pk,
        "catalog:import_example name": "example",
        "catalog:mapping pk": draft_mapping(by=drafter, sku=sku, product=product).pk,
        "catalog:product pk": product.pk,
        "catalog:sku pk": sku.pk,
        "claims:case pk": case.pk,
        "claims:claim pk": claim.pk,
        "claims:claim_new pk": case.pk,
        "custody:code pk": codes[0].pk,
        "custody:destruction pk": destruction_of(key := first(CryptoKey.objects.filter(purpose="code")), buyer),
        "custody:key pk": key,
        "onboarding:checklist pk": shop.accounts["alpha"].pk,
        "onboarding:contract pk": shop.accounts["alpha"].pk,
        "onboarding:probe pk": start_probe(by=None, account=shop.accounts["psnb2b"], read_only=True).pk,
        "onboarding:validated pk": shop.accounts["alpha"].pk,
        "onboarding:probe_start pk": shop.accounts["alpha"].pk,
        "orders:alert pk": alert_about(codes[1], support),
        "orders:code pk": codes[0].pk,
        "orders:import pk": by_hand(shop, buyer),
        "orders:delivery pk": request_file(
            by=buyer, order=order, customer_orders=["SHOP-1"], reason="Codes for today's customers"
        ),
        "orders:order pk": order.pk,
        "orders:order_cancel pk": shop.order(None, "alpha", 1).pk,
        "orders:order_quantity pk": shop.order(None, "alpha", 1).pk,
        "orders:outcome pk": order.pk,
        "orders:unconfirmed pk": first(Order.objects.filter(state="unknown")),
        "orders:unclaimed pk": nobodys_order(shop).pk,
        "suppliers:account pk": shop.accounts["alpha"].pk,
        "suppliers:exchange request_id": Exchange.objects.values_list("request_id", flat=True)[0],
        "suppliers:hook slug": shop.accounts["alpha"].hook_slug,
        "suppliers:webhook pk": first(WebhookEvent.objects.all()),
        **told(shop.accounts["alpha"], buyer),
        **joining(buyer),
    }
    today = timezone.now().date()
    day = reconcile_day(by=None, account=shop.accounts["psnb2b"], currency="USD", day=today)
    unlike = Difference.objects.create(day=day, kind="balance", reference="another", amount_minor=-1, currency="USD")
    objects["reconciliation:difference pk"] = unlike.pk
    objects["reconciliation:statement pk"] = stated(shop, make_person("stella_states", "finance"))
    clerk = make_person("dora_documents", "finance")
    kept = add_day_evidence(by=clerk, row=day, name="answer.pdf", content=b"%PDF-1.7 answer")
    objects["reconciliation:day number"] = kept.pk
    objects |= {f"reconciliation:day {name}": value for name, value in address_of(day).items()}
    return World(shop, {key: getattr(value, "pk", value) for key, value in objects.items()})


def destruction_of(key: CryptoKey, by: User) -> Destruction:
    return Destruction.objects.create(key=key, values=0, reason="It seals nothing any more", proposed_by=by)


def told(account: SupplierAccount, buyer: User) -> dict[str, Any]:
    """What the supplier told us: a confirmed term, a question, a price list that came, a request for access."""
    first_admin, second = make_person("tara_terms", "admin"), make_person("tom_terms", "admin")
    today = timezone.now().date()
    said = Said("15", "contract", "Contract 7, page 2", stated_on=today, expires_on=today + timedelta(days=90))
    term = record_statement(by=first_admin, account=account, kind="delivery_target", said=said)
    confirm_statement(by=second, statement=term)
    waiting = record_statement(by=first_admin, account=account, kind="support_response", said=said)
    price_list = asking.ask_for_price_list(by=first_admin, account=account, how="Ticket 4711")
    asking.receive_price_list(
        by=second, price_list=price_list, file_name="prices.csv", content=b"US,10.00,9.40\n", valid_until=today
    )
    question = asking.ask_question(by=buyer, account=account, before="money", question="Who refunds a wrong region?")
    asking.answer_question(by=first_admin, question=question, answer="They do.", control="One test order first.")
    return {
        "terms:account pk": account.pk,
        "terms:account_term kind": "delivery_target",
        "terms:statement pk": waiting.pk,
        "terms:price pk": price_list.pk,
        "terms:question pk": question.pk,
        "terms:access pk": asking.prepare_access_request(by=first_admin, account=account, fields=ACCESS).pk,
    }


def joining(buyer: User) -> dict[str, Any]:
    """Somebody invited who has not joined, and a proposal about the buyer."""
    inviter = make_person("ina_invites", "admin")
    made, link = invite(by=inviter, username="nora", name="Nora New", email="nora@cards.example")
    proposal = propose(
        by=inviter, kind="roles", about=str(buyer.pk), after={"roles": ["support"]}, reason="Moves to the support team"
    )
    return {
        "people:person pk": made.person.pk,
        "people:proposal pk": proposal.pk,
        "people:limits currency": "USD",
        "people:invitation token": link.rstrip("/").rpartition("/")[2],
    }


def announced(shop: Shop, by: User) -> tuple[Deposit, Evidence]:
    """A deposit on its way, with the supplier's invoice."""
    made = deposits.announce_deposit(
        by=by, account=shop.accounts["alpha"], amount_minor=5_00, currency="USD", way="USDT/TRC-20", reference="INV-9"
    )
    return made, deposits.add_evidence(by=by, deposit=made, name="invoice.pdf", content=b"%PDF-1.7 invoice")


def corrected(shop: Shop, by: User) -> Correction:
    """A correction that waits for a second person."""
    return corrections.propose_correction(
        by=by,
        account=shop.accounts["alpha"],
        currency="USD",
        amount_minor=-1_00,
        against="fees",
        day=timezone.now().date(),
        reason="A fee that no order explains.",
    )


def stated(shop: Shop, by: User) -> AccountStatement:
    """A supplier's statement, not imported yet."""
    yesterday = timezone.now().date() - timedelta(days=1)
    content = f"date,type,amount\n{yesterday},fee,3.00\n".encode()
    facts: dict[str, Any] = {"account": shop.accounts["alpha"], "currency": "USD", "first": yesterday}
    return dry_run_statement(by=by, last=yesterday, name="statement.csv", content=content, **facts)


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


def by_hand(shop: Shop, buyer: User) -> CodeImport:
    """A code that came in a mail and waits for a second person."""
    order = first(Order.objects.filter(state="partial").select_related("account"))
    return upload_codes(by=buyer, order=order, content=b"code\nTST0-0000-BH01\n", source="Mail of the supplier")


def alert_about(code: Code, agent: User) -> RevealAlert:
    """An agent who was refused a code once too often."""
    refused = Reveal.objects.create(code=code, person=agent, outcome="refused", how="shown", refusal="Not your case.")
    return RevealAlert.objects.create(pattern="refusals", reveal=refused, person=agent)


def nobodys_order(shop: Shop) -> UnclaimedOrder:
    """A supplier's order that no order of ours carries, as it was read."""
    return UnclaimedOrder.objects.create(
        account=shop.accounts["psnb2b"],
        remote_id="psb_99001",
        seen_by="event",
        read_at=timezone.now(),
        remote_status="paid",
        region="US",
        denomination=Decimal("50.00"),
        quantity=1,
        total_minor=47_49,
        currency="USD",
        created_at=timezone.now(),
    )


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
