"""What the demo's suppliers told its team: some of it confirmed, some not, some over."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from procurement.terms import asking
from procurement.terms.services import Said, confirm_statement, record_statement

# Kind, value, source, where it stands, how many days it is good for, and whether a second person confirmed it.
TOLD = (
    ("legal_name", "Sandbox Wholesale Ltd", "contract", "Contract of the sandbox, page 1", 0, True),
    ("delivery_target", "15", "contract", "Contract of the sandbox, page 2", 365, True),
    ("price", "3 % under face value, US and GB", "message", "Ticket 4711", 30, True),
    ("support_response", "24", "message", "Ticket 4711", 365, False),
    ("live_stock", "Always in stock", "page", "Their front page", 365, False),
)
ACCESS = {
    "company": "Northwind Games",
    "company_details": "Sample company of the demo, Hafenstr. 1, Hamburg",
    "business_account": "desk@northwind.example",
    "buyer_type": "retailer",
    "regions": "US, GB, DE, TR",
    "expected_volume": "25 orders a day",
    "monthly_volume": "60,000 USD",
    "payment_preference": "USDT",
    "delivery": "both",
    "use_case": "Codes for the orders of our storefront, bought when they are sold.",
}


def agree(account: SupplierAccount, *, first: User, second: User, buyer: User) -> None:
    """What is known of an account on its first day, recorded by one administrator and confirmed by another."""
    today = timezone.now().date()
    for kind, value, source, reference, days, confirmed in TOLD:
        last = today + timedelta(days=days) if days else None
        said = Said(value, source, reference, stated_on=today, expires_on=last)
        statement = record_statement(by=first, account=account, kind=kind, said=said)
        if confirmed:
            confirm_statement(by=second, statement=statement)
    question = asking.ask_question(by=buyer, account=account, before="money", question="Who pays for a wrong region?")
    control = "Claim within seven days; watch what is credited in the daily reconciliation."
    asking.answer_question(by=first, question=question, answer="They replace or credit the code.", control=control)
    asking.check_question(by=second, question=question)
    asking.ask_question(by=buyer, account=account, before="promise", question="How fast do they deliver on weekends?")
    asking.ask_for_price_list(by=first, account=account, how="Ticket 4711")
    access = asking.prepare_access_request(by=first, account=account, fields=ACCESS)
    asking.send_access_request(by=first, request=access, ticket="4710")
    asking.note_access(by=first, request=access, state="in_review", answer="Your documents are being read.")
    asking.note_access(by=first, request=access, state="issued", answer="The key is in your account.")
