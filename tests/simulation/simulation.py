"""One simulated history: every actor's action over the real services, on a virtual clock, repeatable from its seed.

The dispatcher, the poller, the reconciler and the housekeeping are the program's own work loop; webhooks go through its
own receiver; people use its own services. Only the network, the suppliers' moods, the clock and death are made here.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import time_machine
from django.conf import settings
from django.test import RequestFactory
from django.urls import resolve
from django.utils import timezone

from procurement.catalog.models import Mapping
from procurement.errors import DomainError
from procurement.orders.models import Order
from procurement.orders.services import approving, drafting, resolving
from procurement.staff.models import User
from procurement.suppliers.models import Exchange, SupplierAccount
from procurement.suppliers.services import pause_account, resume_account
from procurement.work import services as work_services
from procurement.work.models import DueWork
from procurement.work.registry import HANDLERS
from procurement.work.schedule import tick
from tests.simulation import world
from tests.simulation.dying import Death, Killed, mortal
from tests.simulation.invariants import broken_invariants
from tests.simulation.outcome import Outcome
from tests.simulation.snapshot import Snapshot, snapshot
from tests.simulation.suppliers import Suppliers, the_suppliers
from tests.simulation.wire import Wire

# The sandbox's own faults that a run may arm, with the settings it varies.
MOODS: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "both": (
        ("rate_limit_now", {"seconds": 20}),
        ("error_before_accept", {}),
        ("error_after_accept", {}),
        ("answer_lost", {"reset": True}),
        ("html_502", {}),
        ("empty_body", {}),
        ("truncated_json", {}),
        ("slow_answer", {"seconds": 20}),
        ("slow_answer", {"seconds": 60}),
        ("webhook_before_reply", {}),
        ("balance_off", {"cents": 1}),
        ("price_moved", {"percent": 5}),
        ("wrong_amount", {"cents": 100}),
        ("no_webhook", {}),
        ("webhook_three_times", {}),
        ("bad_signature", {}),
        ("old_timestamp", {}),
        ("order_fails", {"refund": True}),
        ("order_fails", {"refund": False}),
        ("delivered_then_failed", {"refund": True}),
        ("part_delivery", {"refund": True}),
        ("part_delivery", {"refund": False, "rest_after": 3600}),
        ("late_delivery", {"seconds": 3600}),
        ("wrong_region_code", {}),
        ("duplicate_code", {}),
        ("truncated_code", {}),
        ("stock_gone", {}),
        ("key_revoked", {"where": "order"}),
    ),
    "alpha": (),
    "psnb2b": (("tier_moved", {}),),
}
# A failure that is no sentence of ours is a mistake in the program.
MISTAKE = re.compile(r"^\w+ at \S+:\d+")
REASON = "The supplier's support answered so in ticket 4711."
ASK_AFTER = timedelta(minutes=20)
OPEN = ("approved", "placing", "unknown", "placed_no_id", "placed", "paid", "delivered", "supplier_failed")


@dataclass
class Mail:
    """A webhook on its way to us."""

    at: datetime
    url: str
    headers: dict[str, str]
    body: str
    tries: int = 0


class Simulation:
    """Prepares once, then runs any number of seeds from the same start."""

    def __init__(self, *codes: str) -> None:
        self.codes = codes or ("alpha", "psnb2b")
        self.suppliers: Suppliers = the_suppliers()
        self.death = Death()
        self.kept: Snapshot | None = None
        self.history: list[str] = []
        self.begin(0)

    # --- a run's beginning and end ---

    def begin(self, seed: int) -> None:
        self.seed, self.chance = seed, world.Chance(seed)
        self.dice = self.chance.dice
        self.wire = Wire(self.suppliers, self.dice, self.pass_time, self.note)
        self.wire.second_worker = self.second_worker
        self.wire.point = self.point
        self.mail: list[Mail] = []
        self.fates = {"now": 6, "late": 2, "twice": 1, "never": 1}
        self.history = []
        self.crashes = self.unknown_seen = self.resolved = 0
        self.ever_unknown: set[str] = set()
        self.nested, self.runner_lives = False, True
        self.bought = 0
        self.mistakes: list[str] = []

    @contextmanager
    def running(self, seed: int) -> Iterator[Simulation]:
        """The start of everything, under this seed; leaves the process as it was."""
        with ExitStack() as stack:
            self.begin(seed)
            self.clock = stack.enter_context(time_machine.travel(world.START, tick=False))
            stack.enter_context(patch.object(time, "sleep", self.pass_time))
            stack.enter_context(patch.object(work_services, "ring", lambda: None))
            stack.enter_context(patch.object(settings, "SHARED_CLOCK", "process", create=True))
            stack.enter_context(patch.object(settings, "SUPPLIER_TRANSPORT", lambda account: self.wire, create=True))
            self.put_back(stack)
            self.clock.move_to(world.START, tick=False)
            self.suppliers.ask("reset", seed)
            for code in self.codes:
                money = {"balance": {"USD": f"{world.MONEY // 100}.00"}}
                self.suppliers.control("PUT", f"accounts/{code}", money | {"delivery_delay_seconds": 4})
            self.users = {user.username: user for user in User.objects.all()}
            yield self

    def put_back(self, stack: ExitStack) -> None:
        """The database as the start has it, made when first needed under a seed of its own."""
        if self.kept is None:
            self.suppliers.ask("reset", 0)
            with world.Chance(-1).instead_of_the_system():
                world.build(self.suppliers, self.codes)
            self.kept = snapshot("_".join(self.codes))
            self.begin(self.seed)
        else:
            self.kept.restore()
        stack.enter_context(self.chance.instead_of_the_system())

    def note(self, actor: str, action: str, result: str) -> None:
        self.history.append(f"{timezone.now():%d %H:%M:%S.%f} {actor} {action} -> {result}")

    def pass_time(self, seconds: float) -> None:
        self.clock.shift(timedelta(seconds=round(seconds, 6)))

    def act(self, actor: str, action: str, do: Callable[[], object]) -> bool:
        """Let somebody do something; a refusal is a result like any other, and the process may die in it."""
        try:
            result = self.mortally(lambda: do() or "done")
        except DomainError as refusal:
            result = f"refused: {type(refusal).__name__}"
        self.note(actor, action, result)
        return not result.startswith(("refused", "killed"))

    # --- people ---

    def person(self, name: str) -> User:
        return self.users[name]

    def some_order(self, *states: str) -> Order | None:
        found = list(Order.objects.filter(state__in=states).order_by("client_order_id"))
        return self.dice.choice(found) if found else None

    def buy(self, code: str, face: int, quantity: int) -> None:
        """Ben drafts an order and sends it on."""
        self.bought += 1
        mapping = Mapping.objects.select_related("product", "account", "sku").get(
            account__code=code, sku__face_minor=face * 100
        )

        def do() -> str:
            order = drafting.draft_order(
                by=self.person("ben"), mapping=mapping, quantity=quantity, client_order_id=f"ORDER-{1000 + self.bought}"
            )
            return drafting.submit_order(by=self.person("ben"), order=order).state

        self.act("ben", f"buys {quantity} x {face} at {code} as ORDER-{1000 + self.bought}", do)

    def decide(self, verdict: str) -> None:
        """Mia approves, rejects or sends back what waits for her."""
        order = self.some_order("pending_approval")
        if order is None or order.approval is None:
            return
        shown = order.approval.content_hash
        services: dict[str, Callable[..., None]] = {
            "approve": approving.approve_order,
            "reject": approving.reject_order,
            "send back": approving.send_back_order,
        }
        do = services[verdict]
        self.act(
            "mia",
            f"{verdict} {order}",
            lambda: do(by=self.person("mia"), order=order, shown_hash=shown, reason="Seen."),
        )

    def cancel(self) -> None:
        order = self.some_order("draft", "approved", "placing", "unknown")
        if order is not None:
            self.act(
                "ben",
                f"cancels {order}",
                lambda: drafting.cancel_order(by=self.person("ben"), order=order, reason="Not needed any more"),
            )

    def submit_again(self) -> None:
        order = self.some_order("draft")
        if order is not None:
            self.act(
                "ben",
                f"sends {order} on",
                lambda: (
                    drafting.submit_order(
                        by=self.person("ben"), order=order, shown_unit_cost_minor=order.product.cost_minor
                    ).state
                ),
            )

    def pause(self, code: str) -> None:
        account = SupplierAccount.objects.get(code=code)
        self.act(
            "ada",
            f"pauses {code}",
            lambda: pause_account(by=self.person("ada"), account=account, reason="Maintenance of theirs"),
        )

    def resume(self, code: str) -> None:
        account = SupplierAccount.objects.get(code=code)
        if account.state in {"paused", "key_refused"}:
            self.act(
                "ada",
                f"resumes {code}",
                lambda: resume_account(by=self.person("ada"), account=account, reason="They are back"),
            )

    def supplier_orders_of(self, order: Order) -> list[dict[str, Any]]:
        """The truth that a supplier's support would tell: what our requests for this order made there."""
        attempts = [str(pk) for pk in order.attempts.values_list("pk", flat=True)]
        asked = {
            str(one) for one in Exchange.objects.filter(subject_id__in=attempts).values_list("request_id", flat=True)
        }
        return [row for row in self.suppliers.orders() if row["asked_by"] in asked]

    def give_verdicts(self, *, mistaken: bool = False) -> None:
        """Sam asks the supplier about what stays unconfirmed and proposes; Fay confirms. `mistaken`: "not placed" of all."""
        limit = timezone.now() - ASK_AFTER
        for order in Order.objects.filter(state__in=("unknown", "placed_no_id")).order_by("client_order_id"):
            attempt = order.attempts.order_by("-number").first()
            if attempt is not None and attempt.sent_at is not None and attempt.sent_at < limit:
                self.give_verdict(order, mistaken=mistaken)

    def give_verdict(self, order: Order, *, mistaken: bool) -> None:
        truth = [] if mistaken else [row for row in self.supplier_orders_of(order) if not is_ours(row)]
        verdict, remote_id = ("placed", truth[0]["order_id"]) if truth else ("not_placed", "")
        self.resolved += self.two_people_say(order, verdict, remote_id)

    def accept_contradictions(self) -> None:
        """What a supplier contradicted itself about is accepted as it stands, once."""
        for order in Order.objects.filter(state="manual_review").order_by("client_order_id"):
            if not order.resolutions.filter(state="confirmed", verdict="accepted").exists():
                self.two_people_say(order, "accepted")

    def two_people_say(self, order: Order, verdict: str, remote_id: str = "") -> bool:
        """Sam proposes, Fay confirms; whether it went through."""
        sam, fay = self.person("sam"), self.person("fay")

        def propose() -> str:
            resolving.propose_outcome(
                by=sam, order=order, verdict=verdict, remote_id=remote_id, reason=REASON, acknowledged=True
            )
            return "proposed"

        def confirm() -> None:
            order.refresh_from_db()
            resolving.confirm_outcome(by=fay, order=order)

        self.act("sam", f"says of {order}: {verdict} {remote_id}", propose)
        return self.act("fay", f"confirms {order}", confirm)

    # --- the program's own loops ---

    def point(self, where: str, paid: bool) -> None:
        """A moment on the wire at which the worker may die; `paid`: of a POST that buys."""
        if self.death.reached("paid" if paid else "wire") or (paid and self.death.reached("wire")):
            self.death.die(where)

    def work(self, loop: str = "worker-1") -> None:
        """One round of a worker: periodic jobs and due work, as `manage.py work` does; it may die in it."""
        self.suppliers.ask("request", "POST", "/control/advance", {}, LOCAL, b'{"collect": false}')
        result = self.mortally(lambda: tick(loop))
        self.runner_lives = not result.startswith("killed")
        self.note(loop, "works", result)
        self.look_for_mistakes()

    def mortally(self, do: Callable[[], object]) -> str:
        try:
            with mortal(self.death):
                return str(do())
        except Killed as killed:
            self.crashes += 1
            return f"killed {killed.args[0] if killed.args else ''}"

    def second_worker(self) -> None:
        """Another worker's round while the first one waits for its answer."""
        if not self.nested:
            self.nested = True
            try:
                self.note("worker-2", "works", str(tick("worker-2")))
            finally:
                self.nested = False

    def look_for_mistakes(self) -> None:
        for row in DueWork.objects.exclude(last_error="").order_by("pk"):
            sentence = f"{row.kind}: {row.last_error}"
            if MISTAKE.match(row.last_error) and sentence not in self.mistakes:
                self.mistakes.append(sentence)
        for pk in Order.objects.filter(state__in=("unknown", "placed_no_id")).values_list("client_order_id", flat=True):
            self.ever_unknown.add(pk)

    # --- the suppliers' webhooks ---

    def collect_mail(self) -> None:
        """Take over what the suppliers send now, each with a fate: at once, late, twice, out of order, never."""
        for event in self.suppliers.webhooks():
            fate = self.dice.choices(list(self.fates), list(self.fates.values()))[0]
            delay = self.dice.uniform(0, 3) if fate == "now" else self.dice.uniform(5, 200)
            account = SupplierAccount.objects.get(code=event["supplier"])
            copies = {"never": 0, "twice": 2}.get(fate, 1)
            for number in range(copies):
                at = timezone.now() + timedelta(seconds=delay + number * 7)
                self.mail.append(Mail(at, f"/hooks/{account.hook_slug}/", event["headers"], event["body"]))
            self.note(event["supplier"], f"sends a webhook of {event['order_id']}", fate)

    def deliver_mail(self) -> None:
        """Give the real receiver what has arrived by now; what it does not take comes again."""
        now = timezone.now()
        due = [one for one in self.mail if one.at <= now]
        self.mail = [one for one in self.mail if one.at > now]
        for one in self.dice.sample(due, len(due)):
            status = self.mortally(partial(post_webhook, one))
            self.note("receiver", "takes a webhook", status)
            if status != "200" and status != "401" and one.tries < 5:
                self.mail.append(Mail(now + timedelta(seconds=60), one.url, one.headers, one.body, one.tries + 1))

    # --- time ---

    def next_moment(self) -> datetime | None:
        """When something will happen by itself."""
        found = [one.at for one in self.mail] + [one.at for one in self.wire.late]
        due = DueWork.objects.filter(kind__in=HANDLERS)
        for due_at, lease_until in due.values_list("due_at", "lease_until"):
            found.append(lease_until or due_at)
        return min(found, default=None)

    def jump(self, seconds: float) -> None:
        self.pass_time(seconds)
        self.wire.deliver_late()

    def jump_ahead(self, *, least: float = 2.0, at_most: float = 1800.0) -> None:
        """To the next thing that is due, within these bounds in seconds."""
        coming = self.next_moment()
        wait = (coming - timezone.now()).total_seconds() if coming else at_most
        self.jump(min(max(wait + 0.01, least), at_most))

    # --- checks ---

    def violations(self, *, quiescent: bool = False) -> list[str]:
        """What is broken now, by our rows and the suppliers' own record."""
        found = broken_invariants(
            self.suppliers.orders(),
            quiescent=quiescent,
            supplier_requests=self.suppliers.requests(),
            runner_lives=self.runner_lives,
        )
        return found + [f"a handler failed: {sentence}" for sentence in self.mistakes]

    def heal_and_drain(self) -> None:
        """All faults end, the network empties, workers and people finish what is open, a day is reconciled."""
        self.wire.heal()
        self.death.cancel()
        self.suppliers.control("DELETE", "faults")
        for code in self.codes:
            self.resume(code)
        self.note("world", "heals", "")
        for _ in range(150):
            self.collect_mail()
            self.deliver_mail()
            self.work()
            if not (Order.objects.filter(state__in=OPEN).exists() or self.mail or self.wire.late):
                break
            self.people_finish()
            self.jump_ahead(least=7.0)
        self.reconcile()

    def people_finish(self) -> None:
        """Once the network is empty, people ask the suppliers about what is unconfirmed and end it."""
        if Order.objects.filter(state__in=("unknown", "placed_no_id")).exists() and not (self.wire.late or self.mail):
            self.jump(ASK_AFTER.total_seconds() + 1)
            self.give_verdicts()
        self.accept_contradictions()
        for code in self.codes:
            self.resume(code)

    def reconcile(self) -> None:
        """Into the next day, until yesterday is compared."""
        midnight = timezone.now().replace(hour=0, minute=5, second=0, microsecond=0) + timedelta(days=1)
        self.jump((midnight - timezone.now()).total_seconds())
        for _ in range(30):
            self.collect_mail()
            self.deliver_mail()
            self.work()
            if not (self.mail or DueWork.objects.filter(kind__startswith="reconciliation").exists()):
                break
            self.jump_ahead(least=15.0, at_most=120.0)

    # --- a whole random run ---

    def step(self) -> None:
        """One action of somebody or something, by the dice."""
        action = self.dice.choices(list(ACTIONS), list(ACTIONS.values()))[0]
        getattr(self, f"do_{action}")()

    def do_buy(self) -> None:
        self.buy(self.dice.choice(self.codes), self.dice.choice(world.FACES), self.dice.choice((1, 2, 2, 3, 12)))

    def do_decide(self) -> None:
        self.decide(self.dice.choices(("approve", "reject", "send back"), (8, 1, 1))[0])

    def do_cancel(self) -> None:
        self.cancel()

    def do_submit(self) -> None:
        self.submit_again()

    def do_work(self) -> None:
        self.work()

    def do_ahead(self) -> None:
        self.jump_ahead()
        self.work()

    def do_jump(self) -> None:
        seconds = self.dice.choice((3, 30, 95, 600, 3600))
        self.note("world", "time passes", f"{seconds} s")
        self.jump(seconds)

    def do_mail(self) -> None:
        self.collect_mail()
        self.deliver_mail()

    def do_weather(self) -> None:
        """How often calls fail from now on."""
        self.wire.weather = {"order": self.dice.choice((0.3, 0.6, 0.9)), "read": self.dice.choice((0.0, 0.1, 0.3))}
        self.note("world", "weather", str(self.wire.weather))

    def do_mood(self) -> None:
        code = self.dice.choice(self.codes)
        kind, params = self.dice.choice(MOODS["both"] + MOODS[code])
        self.suppliers.arm(code, kind, **params)
        self.note(code, "will", f"{kind} {params}")

    def do_lag(self) -> None:
        self.wire.balance_lag = self.dice.choice((0.0, 0.0, 90.0, 1200.0))
        self.note("world", "balance lag", f"{self.wire.balance_lag:.0f} s")

    def do_forget(self) -> None:
        self.note("alpha", "forgets keys", str(self.suppliers.ask("forget_keys", 3600.0)))

    def do_crash(self) -> None:
        kind, most = self.dice.choice((("statement", 25), ("statement", 60), ("commit", 20), ("wire", 6), ("paid", 2)))
        self.death.plan(kind, self.dice.randint(1, most), after=self.dice.random() < 0.5)
        self.work()

    def do_verdicts(self) -> None:
        self.give_verdicts(mistaken=self.dice.random() < 0.2)

    def do_accept(self) -> None:
        self.accept_contradictions()

    def do_pause(self) -> None:
        self.pause(self.dice.choice(self.codes))

    def do_resume(self) -> None:
        self.resume(self.dice.choice(self.codes))

    def run(self, seed: int, *, steps: int = 20, check_every: int = 5) -> Outcome:
        """A whole history of this seed; the first step after which an invariant is broken ends it."""
        with self.running(seed):
            found: list[str] = []
            self.do_weather()
            self.do_buy()
            self.do_buy()
            for number in range(steps):
                self.step()
                if number % check_every == 0 and (found := self.violations()):
                    break
            if not found:
                self.heal_and_drain()
                found = self.violations(quiescent=True)
            for sentence in found:
                self.note("checker", "finds", sentence)
            return Outcome(
                seed=seed,
                orders=Order.objects.exclude(state__in=("draft", "pending_approval", "rejected")).count(),
                paid=len(self.suppliers.orders()),
                unknown=len(self.ever_unknown),
                resolved=self.resolved,
                crashes=self.crashes,
                violations=found,
                history=self.history,
            )


LOCAL = {"Host": "localhost", "Content-Type": "application/json"}
ACTIONS: dict[str, float] = {
    "buy": 8,
    "decide": 4,
    "cancel": 3,
    "submit": 1,
    "work": 3,
    "ahead": 12,
    "jump": 2,
    "mail": 4,
    "weather": 2,
    "mood": 5,
    "lag": 1,
    "forget": 0.5,
    "crash": 5,
    "verdicts": 2,
    "accept": 1,
    "pause": 0.5,
    "resume": 2,
}


def is_ours(remote: dict[str, Any]) -> bool:
    """Whether an order of ours carries the supplier's id already."""
    return Order.objects.filter(remote_id=remote["order_id"], account__code=remote["supplier"]).exists()


def post_webhook(mail: Mail) -> int:
    """What the real receiver answers."""
    path = urlsplit(mail.url).path
    headers = {name: value for name, value in mail.headers.items() if name != "Content-Type"}
    request = RequestFactory(headers=headers).post(path, mail.body.encode(), content_type="application/json")
    view, args, kwargs = resolve(path)
    return int(view(request, *args, **kwargs).status_code)
