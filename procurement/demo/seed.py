"""The demo's data: sixty days at the desk, lived through the real services against the sandbox with both clocks set."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils import timezone

from procurement.approvals.models import ApprovalRule
from procurement.bookkeeping import deposits
from procurement.catalog.models import Mapping, SkuImport
from procurement.catalog.services.importing import apply_import, dry_run
from procurement.catalog.services.mapping import activate_all_exact, propose_all
from procurement.catalog.services.refreshing import refresh_products
from procurement.demo import codes, happenings
from procurement.demo.agreements import agree
from procurement.demo.happenings import TOP_UP, History
from procurement.demo.world import Clock, Sandbox, connect_accounts, deposit, standing_clock, utc_midnight
from procurement.orders.models import Order
from procurement.staff.demo import create_people
from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.services import read_balance

SAMPLE = Path(__file__).resolve().parent.parent / "catalog" / "sample" / "storefront_skus.csv"
DAYS, ORDERS = 60, 1500


def ensure(
    *, empty: bool, sandbox_url: str, say: Callable[[str], None], days: int = DAYS, orders: int = ORDERS
) -> None:
    """Make what is missing of the sample data and change nothing that is there; `empty` connects the accounts only.

    `sandbox_url` is where the supplier sandbox answers; `say` shows one line of progress on the terminal.
    """
    people = create_people()
    sandbox = Sandbox(sandbox_url)
    fresh = not SupplierAccount.objects.exists()
    real_time(sandbox)
    finished = Path(settings.DATA_DIR) / "sample-data"
    if fresh and not empty:
        live_through(History(sandbox, people, say), days, orders)
    elif fresh:
        for account in connect_accounts(sandbox, people["ada"]):
            deposit_opening(sandbox, account)
            refresh_products(account)
    elif not finished.exists():
        say("The sample data was interrupted half-way the last time. To make it anew: python3 dev.py demo --reset")
        return
    else:
        connect_accounts(sandbox, people["ada"])
    finished.touch()


def deposit_opening(sandbox: Sandbox, account: SupplierAccount) -> None:
    """Book the money the sandbox opens its accounts with."""
    balance = sandbox.call("GET", f"accounts/{account.code}")["balance"]["USD"]
    minor = int(Decimal(balance) * 100)
    today = timezone.now().date()
    deposits.open_book(
        account=account, amount_minor=minor, currency="USD", credited_on=today, reference=f"OPEN-{account.code}"
    )


def live_through(history: History, days: int, orders: int) -> None:
    """Sixty days, hour by hour, up to a few minutes ago."""
    end = timezone.now()
    first = end.date() - timedelta(days=days)
    history.sandbox.call("PUT", "settings", {"limits_enabled": False, "loop_enabled": False})
    quick_writes(True)
    with standing_clock(history.sandbox, utc_midnight(first) + timedelta(hours=6)) as clock:
        connect_accounts(history.sandbox, history.people["ada"])
        lift_limits(lifted=True)
        history.accounts = list(SupplierAccount.objects.order_by("code"))
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
    real_time(history.sandbox)


def lift_limits(*, lifted: bool) -> None:
    """While the clock stands still no waiting would ever end, so our own limits are off."""
    free = {"calls": 0}
    for account in SupplierAccount.objects.all():
        account.settings = {
            **account.settings,
            "limits": {"all": free, "orders": free, "polls": free} if lifted else {},
        }
        account.save(update_fields=["settings"])


def real_time(sandbox: Sandbox) -> None:
    """Clocks that run and limits that hold: at the end of the history, and again after one that was interrupted."""
    lift_limits(lifted=False)
    sandbox.call("PUT", "clock", {})
    sandbox.call("PUT", "settings", {"limits_enabled": True, "loop_enabled": True})


def quick_writes(on: bool) -> None:
    """Let SQLite skip waiting for the disk while sample data is made; a crash here only means making it again."""
    if connection.vendor == "sqlite":
        connection.cursor().execute(f"PRAGMA synchronous={'OFF' if on else 'NORMAL'}")


def prepare_shop(history: History, clock: Clock) -> None:
    """What a team does on its first morning: rules, terms, catalogue, money, SKUs, mappings."""
    ben, mia, ada, abe = (history.people[name] for name in ("ben", "mia", "ada", "abe"))
    ApprovalRule.objects.get_or_create(
        currency="USD", defaults={"order_limit_minor": 500_00, "daily_limit_minor": 6_000_00}
    )
    for account in history.accounts:
        history.sandbox.call(
            "PUT", f"accounts/{account.code}", {"balance": {"USD": "0.00"}, "delivery_delay_seconds": 1}
        )
        agree(account, first=ada, second=abe, buyer=ben)
        refresh_products(account)
        deposit(history.sandbox, account, TOP_UP, people=history.people, clock=clock, ref=f"INV-{account.code}-0001")
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
    history.plan(midnight + timedelta(hours=6, minutes=30), lambda clock: happenings.morning(history, clock))
    spread = 0.6 if day.weekday() >= 5 else 1.15
    for _ in range(max(1, round(orders * spread * dice.uniform(0.8, 1.2)))):
        moment = midnight + timedelta(hours=7, seconds=dice.triangular(0, 15 * 3600, 9 * 3600))
        if moment < end - timedelta(minutes=20):
            history.plan(moment, lambda clock: happenings.one_order(history, clock))
    history.plan(
        midnight + timedelta(hours=23, minutes=59, seconds=50), lambda clock: happenings.evening(history, clock)
    )
    history.plan(midnight + timedelta(days=1, minutes=10), lambda clock: happenings.reconcile(history, day))


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


def plan_last_hours(history: History, end: datetime) -> None:
    """What waits for people when the demo opens: purchases to approve, fresh cases, an order under way."""
    for minutes in (95, 60, 35):
        history.plan(end - timedelta(minutes=minutes), lambda clock: happenings.large_wish(history, clock))
    history.plan(
        end - timedelta(minutes=50), lambda clock: happenings.troubled(history, clock, "alpha", "wrong_region_code")
    )
    history.plan(
        end - timedelta(minutes=44), lambda clock: happenings.troubled(history, clock, "psnb2b", "wrong_region_code")
    )
    history.plan(
        end - timedelta(minutes=40), lambda clock: happenings.troubled(history, clock, "alpha", "part_delivery")
    )
    history.plan(utc_midnight(end.date()) - timedelta(minutes=40), lambda clock: codes.at_night(history, clock))
    history.plan(end - timedelta(minutes=32), lambda clock: codes.customers_of_the_day(history, clock))
    history.plan(end - timedelta(hours=20), lambda clock: happenings.stray_credit(history))
    history.plan(end - timedelta(days=4, hours=3), lambda clock: happenings.short_deposit(history, clock))
    history.plan(end - timedelta(days=4, hours=2), lambda clock: happenings.deposits_under_way(history))
