"""The demo's data: sixty days at the desk, lived through the real services against the sandbox with both clocks set."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import count
from pathlib import Path

from django.db import connection
from django.utils import timezone

from procurement.approvals.models import ApprovalRule
from procurement.bookkeeping import postings
from procurement.catalog.models import Mapping, SkuImport
from procurement.catalog.services.importing import apply_import, dry_run
from procurement.catalog.services.mapping import activate_all_exact, propose_all
from procurement.catalog.services.refreshing import refresh_products
from procurement.claims.models import Claim
from procurement.claims.services import cases, filing, outcomes
from procurement.demo.world import Clock, Sandbox, connect_accounts, deposit, standing_clock, utc_midnight
from procurement.errors import DomainError
from procurement.orders.models import Code, Order
from procurement.orders.services import approving, drafting
from procurement.orders.services.placing import place_order
from procurement.orders.services.tracking import check_order
from procurement.reconciliation.services import reconcile_day
from procurement.staff.demo import create_people
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.receiving import mark_event_applied, receive
from procurement.suppliers.services import read_balance
from procurement.work.models import DueWork

SAMPLE = Path(__file__).resolve().parent.parent / "catalog" / "sample" / "storefront_skus.csv"
DAYS, ORDERS = 60, 1500
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


def ensure(
    *, empty: bool, sandbox_url: str, say: Callable[[str], None], days: int = DAYS, orders: int = ORDERS
) -> None:
    """Make what is missing of the sample data and change nothing that is there; `empty` connects the accounts only.

    `sandbox_url` is where the supplier sandbox answers; `say` shows one line of progress on the terminal.
    """
    people = create_people()
    sandbox = Sandbox(sandbox_url)
    fresh = not SupplierAccount.objects.exists()
    accounts = connect_accounts(sandbox, people["ada"])
    if fresh and not empty:
        live_through(History(sandbox, people, accounts, say), days, orders)
    elif fresh:
        for account in accounts:
            deposit_opening(sandbox, account, people["fay"])
            refresh_products(account)


def deposit_opening(sandbox: Sandbox, account: SupplierAccount, by: User) -> None:
    """Book the money the sandbox opens its accounts with."""
    balance = sandbox.call("GET", f"accounts/{account.code}")["balance"]["USD"]
    minor = round(float(balance) * 100)
    today = timezone.now().date()
    postings.deposit(
        by=by, account=account, amount_minor=minor, currency="USD", credited_on=today, reference=f"OPEN-{account.code}"
    )


@dataclass
class History:
    """The people, the accounts, and what is still to happen, by time."""

    sandbox: Sandbox
    people: dict[str, User]
    accounts: list[SupplierAccount]
    say: Callable[[str], None]
    dice: random.Random = field(default_factory=lambda: random.Random(20261121))  # noqa: S311
    agenda: list[tuple[datetime, int, Callable[[Clock], None]]] = field(default_factory=list)
    numbers: count[int] = field(default_factory=lambda: count(1001))
    serial: count[int] = field(default_factory=count)
    mappings: dict[str, list[Mapping]] = field(default_factory=dict)

    def plan(self, when: datetime, what: Callable[[Clock], None]) -> None:
        heapq.heappush(self.agenda, (when, next(self.serial), what))


def live_through(history: History, days: int, orders: int) -> None:
    """Sixty days, hour by hour, up to a few minutes ago."""
    end = timezone.now()
    first = end.date() - timedelta(days=days)
    history.sandbox.call("PUT", "settings", {"limits_enabled": False, "loop_enabled": False})
    lift_limits(history.accounts, lifted=True)
    quick_writes(True)
    with standing_clock(history.sandbox, utc_midnight(first) + timedelta(hours=6)) as clock:
        prepare_shop(history, clock)
        for day in (first + timedelta(days=n) for n in range(days + 1)):
            plan_day(history, day, orders // days, end)
        plan_last_hours(history, end)
        run_agenda(history, clock, end, days)
        clock.move_to(end)
        for account in history.accounts:
            refresh_products(account)
            read_balance(account)
    quick_writes(False)
    lift_limits(history.accounts, lifted=False)
    DueWork.objects.filter(due_at__gt=timezone.now() + timedelta(days=1)).delete()
    history.sandbox.call("PUT", "settings", {"limits_enabled": True, "loop_enabled": True})


def lift_limits(accounts: list[SupplierAccount], *, lifted: bool) -> None:
    """While the clock stands still no waiting would ever end, so our own limits are off."""
    free = {"interval": 0, "burst": 1}
    for account in accounts:
        account.settings = {
            **account.settings,
            "limits": {"all": free, "orders": free, "polls": free} if lifted else {},
        }
        account.save(update_fields=["settings"])


def quick_writes(on: bool) -> None:
    """Let SQLite skip waiting for the disk while sample data is made; a crash here only means making it again."""
    if connection.vendor == "sqlite":
        connection.cursor().execute(f"PRAGMA synchronous={'OFF' if on else 'NORMAL'}")


def prepare_shop(history: History, clock: Clock) -> None:
    """What a team does on its first morning: rules, catalogue, money, SKUs, mappings."""
    ben, mia, fay = (history.people[name] for name in ("ben", "mia", "fay"))
    ApprovalRule.objects.get_or_create(
        currency="USD", defaults={"order_limit_minor": 500_00, "daily_limit_minor": 6_000_00}
    )
    for account in history.accounts:
        history.sandbox.call(
            "PUT", f"accounts/{account.code}", {"balance": {"USD": "0.00"}, "delivery_delay_seconds": 3}
        )
        refresh_products(account)
        deposit(history.sandbox, account, TOP_UP, by=fay, on=clock.now.date(), reference=f"INV-{account.code}-0001")
        clock.wait(30)
    upload: SkuImport = dry_run(by=ben, file_name="storefront_skus.csv", content=SAMPLE.read_bytes())
    apply_import(by=ben, sku_import=upload)
    propose_all(by=ben)
    activate_all_exact(by=mia)
    for mapping in Mapping.objects.filter(state="active").select_related("sku", "product", "account"):
        history.mappings.setdefault(mapping.sku.region, []).append(mapping)


def plan_day(history: History, day: date, orders: int, end: datetime) -> None:
    """A day's readings, purchases and reconciliation."""
    midnight, dice = utc_midnight(day), history.dice
    history.plan(midnight + timedelta(hours=6, minutes=30), lambda clock: morning(history, clock))
    spread = 0.6 if day.weekday() >= 5 else 1.15
    for _ in range(max(1, round(orders * spread * dice.uniform(0.8, 1.2)))):
        moment = midnight + timedelta(hours=7, seconds=dice.triangular(0, 15 * 3600, 9 * 3600))
        if moment < end - timedelta(minutes=20):
            history.plan(moment, lambda clock: one_order(history, clock))
    history.plan(midnight + timedelta(hours=23, minutes=59, seconds=50), lambda clock: evening(history, clock))
    history.plan(midnight + timedelta(days=1, minutes=10), lambda clock: reconcile(history, day))


def run_agenda(history: History, clock: Clock, end: datetime, days: int) -> None:
    """Everything planned, in order of time; things that would be later than now are left undone."""
    shown = None
    while history.agenda and history.agenda[0][0] < end:
        when, _, what = heapq.heappop(history.agenda)
        clock.move_to(when)
        if when.date() != shown and when.date().toordinal() % 5 == 0:
            history.say(f"Living through {when:%d %B}: {Order.objects.count():,} orders so far")
        shown = when.date()
        what(clock)


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
            deposit(
                history.sandbox, account, TOP_UP, by=history.people["fay"], on=clock.now.date(), reference=reference
            )
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


REASONS = ("", "", "Weekend stock", "Sold out on the storefront", "Campaign", "Back order", "Price is good today")


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


def plan_last_hours(history: History, end: datetime) -> None:
    """What waits for people when the demo opens: purchases to approve, fresh cases, an order under way."""
    for minutes in (95, 60, 35):
        history.plan(end - timedelta(minutes=minutes), lambda clock: large_wish(history, clock))
    history.plan(end - timedelta(minutes=50), lambda clock: troubled(history, clock, "alpha", "wrong_region_code"))
    history.plan(end - timedelta(minutes=44), lambda clock: troubled(history, clock, "psnb2b", "wrong_region_code"))
    history.plan(end - timedelta(minutes=40), lambda clock: troubled(history, clock, "alpha", "part_delivery"))
    history.plan(end - timedelta(hours=20), lambda clock: stray_credit(history))


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


def stray_credit(history: History) -> None:
    """Money came at the supplier that nothing of ours explains: the reconciliation must name it."""
    history.sandbox.call(
        "POST", "deposits", {"supplier": "psnb2b", "amount": "12.50", "currency": "USD", "reference": "goodwill"}
    )
