"""What happens at the demo's desk: mornings, purchases with what goes wrong, customers who write, suppliers who answer."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import count

from procurement.bookkeeping import deposits, postings
from procurement.catalog.models import Mapping
from procurement.catalog.services.refreshing import refresh_products
from procurement.claims.models import Claim
from procurement.claims.services import cases, filing, outcomes
from procurement.demo.world import Clock, Sandbox, announced, arrive, deposit, txid_of
from procurement.errors import DomainError
from procurement.orders.models import Code, Order
from procurement.orders.services import approving, drafting
from procurement.orders.services.placing import place_order
from procurement.orders.services.tracking import check_order
from procurement.reconciliation.services import reconcile_day
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.receiving import mark_event_applied, receive
from procurement.suppliers.services import read_balance
from procurement.work.models import DueWork

LOW, TOP_UP = 12_000_00, 30_000_00
POPULAR = ("US", "GB", "DE", "TR", "PL", "AE", "SA", "BR", "IN", "CA", "FR", "ES")
ERRORS = (
    "The code you entered may be incorrect or invalid.",
    "This code may not be correct or is no longer valid. Please check the code.",
    "WS-44369-6: the voucher is for another region",
)
# What goes wrong how often, in thousandths of all orders.
FAULTS = {
    "part_delivery": 8,
    "wrong_region_code": 8,
    "truncated_code": 3,
    "stock_gone": 6,
    "order_fails": 6,
    "late_delivery": 10,
    "rate_limit_now": 5,
}
REASONS = ("", "", "Weekend stock", "Sold out on the storefront", "Campaign", "Back order", "Price is good today")


@dataclass
class History:
    """The people, the accounts, and what is still to happen, by time."""

    sandbox: Sandbox
    people: dict[str, User]
    say: Callable[[str], None]
    accounts: list[SupplierAccount] = field(default_factory=list)
    dice: random.Random = field(default_factory=lambda: random.Random(20261121))  # noqa: S311
    agenda: list[tuple[datetime, int, Callable[[Clock], None]]] = field(default_factory=list)
    numbers: count[int] = field(default_factory=lambda: count(1001))
    serial: count[int] = field(default_factory=count)
    mappings: dict[str, list[Mapping]] = field(default_factory=dict)

    def plan(self, when: datetime, what: Callable[[Clock], None]) -> None:
        heapq.heappush(self.agenda, (when, next(self.serial), what))


def morning(history: History, clock: Clock) -> None:
    """Read prices and balances; top up what runs low; prices drift a little."""
    dice = history.dice
    if dice.random() < 0.3:
        supplier, region = dice.choice(history.accounts).code, dice.choice(POPULAR)
        history.sandbox.call("PUT", f"products/{supplier}", {"region": region, "percent": dice.choice([-2, -1, 1, 2])})
    for account in history.accounts:
        history.sandbox.call("PUT", f"products/{account.code}", {"stock": 400})
        if postings.free_balance(account.code, "USD") < LOW:
            reference = f"INV-{account.code}-{clock.now:%m%d}"
            deposit(history.sandbox, account, TOP_UP, people=history.people, clock=clock, ref=reference)
        refresh_products(account)
        read_balance(account)
        clock.wait(20)


def evening(history: History, clock: Clock) -> None:
    for account in history.accounts:
        read_balance(account)


def reconcile(history: History, day: date) -> None:
    for account in history.accounts:
        # A supplier without a list of orders is read a few orders at a time.
        while reconcile_day(by=None, account=account, currency="USD", day=day).unread:
            pass


def one_order(history: History, clock: Clock) -> None:
    """One purchase from the buyer's wish to the codes, with whatever goes wrong on the way."""
    dice = history.dice
    mapping = dice.choice(history.mappings[dice.choices(POPULAR, weights=range(len(POPULAR), 0, -1))[0]])
    mapping.product.refresh_from_db()
    unit = mapping.product.cost_minor or 1
    budget = dice.choice([60_00, 120_00, 200_00, 300_00]) if dice.random() < 0.93 else dice.choice([700_00, 1_500_00])
    order = buy(history, clock, mapping, max(1, min(60, budget // unit)))
    if order is None or order.state != "approved":
        return
    fault = dice.choices([*FAULTS, ""], weights=[*FAULTS.values(), 1000 - sum(FAULTS.values())])[0]
    if fault and not (fault == "part_delivery" and order.quantity < 2):
        history.sandbox.arm(order.account.code, fault)
    follow(history, clock, order)
    if fault in {"wrong_region_code", "truncated_code", "part_delivery"} or dice.random() < 0.02:
        history.plan(clock.now + timedelta(hours=dice.uniform(2, 60)), lambda later: one_case(history, later, order))


def buy(history: History, clock: Clock, mapping: Mapping, quantity: int, *, decide: bool = True) -> Order | None:
    """Draft and submit; a manager answers within minutes. None when the desk refuses the order."""
    dice, people = history.dice, history.people
    buyer = people["ben"] if dice.random() < 0.75 else people["mia"]
    try:
        order = drafting.draft_order(
            by=buyer,
            mapping=mapping,
            quantity=quantity,
            client_order_id=f"ORDER-{next(history.numbers)}",
            purpose=dice.choice(REASONS),
        )
        drafting.submit_order(by=buyer, order=order)
    except DomainError:
        return None
    if order.state == "pending_approval" and decide:
        clock.wait(dice.uniform(60, 900))
        answer(history, order)
    return order


def answer(history: History, order: Order) -> None:
    """Another manager decides: mostly yes."""
    manager = history.people["max"]
    shown = order.approval.content_hash if order.approval else ""
    dice = history.dice.random()
    try:
        if dice < 0.88:
            approving.approve_order(by=manager, order=order, shown_hash=shown, reason="Stock is needed.")
        elif dice < 0.95:
            approving.send_back_order(
                by=manager, order=order, shown_hash=shown, reason="Please take half now, half next week."
            )
        else:
            approving.reject_order(by=manager, order=order, shown_hash=shown, reason="We still have stock of this.")
    except DomainError:
        return


def follow(history: History, clock: Clock, order: Order, steps: int = 12) -> None:
    """What the work loop would do for this order, at the times it would do it, as long as that is near."""
    again: datetime | None = clock.now
    for _ in range(steps):
        if again is None or again > clock.now + timedelta(minutes=20):
            break
        clock.move_to(again + timedelta(seconds=2))
        order.refresh_from_db()
        if order.state in {"approved", "placing", "unknown"}:
            again = place_order(str(order.pk))
            order.refresh_from_db()
            again = clock.now + timedelta(seconds=6) if order.state == "placed" else again
        else:
            again = check_order(str(order.pk))
    deliver_webhooks(history)
    DueWork.objects.filter(ref=str(order.pk)).delete()
    if again is not None:
        later = again
        history.plan(later, lambda now: follow(history, now, order))


def deliver_webhooks(history: History) -> None:
    """The suppliers' messages that are due arrive now; what they ask for was just done."""
    accounts = {account.code: account for account in history.accounts}
    for message in history.sandbox.call("POST", "advance", {"collect": True})["webhooks"]:
        account = accounts[message["supplier"]]
        receive(account, message["body"].encode(), message["headers"])
        mark_event_applied(account.pk, message["order_id"])
    DueWork.objects.filter(kind="order.hint").delete()


def one_case(history: History, clock: Clock, order: Order) -> None:
    """A customer writes; support looks, answers or claims."""
    dice, sam = history.dice, history.people["sam"]
    codes = list(Code.objects.filter(order=order))
    if not codes:
        return
    code = next((code for code in codes if code.state in {"wrong_region", "invalid"}), dice.choice(codes))
    same = dice.random() < 0.5
    region = order.region if same else dice.choice(POPULAR)
    try:
        case = cases.open_case(
            by=sam,
            order=order,
            code=code,
            customer_order=f"SHOP-{dice.randrange(20000, 90000)}",
            error_text=dice.choice(ERRORS),
            account_region=region if dice.random() < 0.8 else "",
        )
        cases.take_case(by=sam, case=case)
        clock.wait(120)
        if code.state in {"wrong_region", "invalid"}:
            reason = "wrong_region" if code.state == "wrong_region" else "invalid"
            claim = filing.file_claim(by=sam, case=case, reason=reason, description="The code is not what was ordered.")
            history.plan(
                clock.now + timedelta(hours=dice.uniform(6, 70)), lambda later: claim_answer(history, later, claim)
            )
        elif not same:
            cases.solve_case(by=sam, case=case, note="The customer's account is of another region.")
    except DomainError:
        return


def claim_answer(history: History, clock: Clock, claim: Claim) -> None:
    """The supplier answers a claim; for one filed by hand the reference comes first."""
    sam = history.people["sam"]
    claim.refresh_from_db()
    try:
        if claim.state == "draft" and claim.method == "manual":
            filing.record_manual_filing(by=sam, claim=claim, reference=f"TICKET-{history.dice.randrange(1000, 9999)}")
        if claim.state == "filed" and history.dice.random() < 0.7:
            outcomes.record_outcome(
                by=sam, claim=claim, outcome="declined", note="The supplier says the code was used."
            )
    except DomainError:
        return


def large_wish(history: History, clock: Clock) -> None:
    mapping = history.dice.choice(history.mappings["US"])
    mapping.product.refresh_from_db()
    buy(history, clock, mapping, max(2, 1_900_00 // (mapping.product.cost_minor or 1)), decide=False)


def troubled(history: History, clock: Clock, supplier: str, fault: str) -> None:
    """An order that goes wrong in a way support must look at."""
    mapping = next(m for m in history.mappings["DE"] if m.account.code == supplier)
    mapping.product.refresh_from_db()
    order = buy(history, clock, mapping, max(3, 100_00 // (mapping.product.cost_minor or 1)))
    if order is not None and order.state == "approved":
        history.sandbox.arm(supplier, fault)
        follow(history, clock, order)
        customer_writes(history, order)


def customer_writes(history: History, order: Order) -> None:
    """A case nobody has taken yet."""
    code = Code.objects.filter(order=order).order_by("state", "position").last()
    if code is not None:
        number = f"SHOP-{history.dice.randrange(20000, 90000)}"
        cases.open_case(by=history.people["sam"], order=order, code=code, customer_order=number, error_text=ERRORS[0])


def short_deposit(history: History, clock: Clock) -> None:
    """The supplier kept a part of a deposit: a manager books what came, and the rest is a difference."""
    account, fay, ref = history.accounts[0], history.people["fay"], "INV-short"
    row = announced(account, 800_00, by=fay, ref=ref)
    deposits.note_sent(by=fay, deposit=row, txid=txid_of(ref))
    arrive(history.sandbox, account, 792_00, ref)
    clock.wait(120)
    why = "The supplier credited 8.00 less and was asked why."
    deposits.credit_deposit(by=history.people["mia"], deposit=row, amount_minor=792_00, reason=why)


def deposits_under_way(history: History) -> None:
    """One deposit in each state it can wait in; none of them has arrived."""
    account, fay = history.accounts[-1], history.people["fay"]
    sent = [
        announced(account, amount, by=fay, ref=f"INV-{amount}") for amount in (2_500_00, 3_000_00, 4_000_00, 900_00)
    ]
    deposits.withdraw_deposit(by=fay, deposit=sent.pop(), reason="The invoice was cancelled by the supplier.")
    for row in sent[1:]:
        deposits.note_sent(by=fay, deposit=row, txid=txid_of(row.reference))
    deposits.note_confirmed(by=fay, deposit=sent[-1])


def stray_credit(history: History) -> None:
    """Money came at the supplier that nothing of ours explains: the reconciliation must name it."""
    history.sandbox.call(
        "POST", "deposits", {"supplier": "psnb2b", "amount": "12.50", "currency": "USD", "reference": "goodwill"}
    )
