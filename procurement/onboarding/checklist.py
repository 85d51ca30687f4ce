"""The checklist before an account is used (R14, R114): lines look at the desk's own data, take a person's word where there is
none, and name each term, limit and field of the register as confirmed or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Count, Max
from django.urls import reverse

from procurement.audit.services import record
from procurement.catalog.models import CatalogReading, Mapping, Sku, ValidatedProduct
from procurement.claims.models import Claim
from procurement.errors import Refused
from procurement.onboarding.models import ChecklistTick, ProbeRun
from procurement.onboarding.queries import last_run
from procurement.onboarding.states import PASSED
from procurement.reconciliation.models import SignOff
from procurement.staff.access import check_can, people_with
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.suppliers.calibrating import last_pinned
from procurement.suppliers.models import Exchange, SupplierAccount
from procurement.suppliers.queries import last_event_at, latest_balances
from procurement.terms import queries as agreed


@dataclass(frozen=True)
class Line:
    """One line: what must be, whether it is, what is known of it, since when, and where to act."""

    label: str
    done: bool
    words: str
    at: datetime | None = None
    url: str = ""
    # Lines that only a person can know: their key, and who ticked it.
    key: str = ""
    tick: ChecklistTick | None = None

    @property
    def status(self) -> tuple[str, str]:
        return ("Done", "good") if self.done else ("Open", "attention")


Looker = Callable[[SupplierAccount], Line]


def key_tested(account: SupplierAccount) -> Line:
    """Tested: the supplier answered with 2xx since the key was set."""
    calls = Exchange.objects.filter(account=account, status__gte=200, status__lt=300)
    set_at = account.api_key_set_at
    answered = account.has_key and set_at is not None and calls.filter(started_at__gte=set_at).exists()
    if not account.has_key:
        words = "No key is set."
    else:
        words = "The supplier answers to it." if answered else "It is set, and no call has succeeded since."
    url = reverse("suppliers:account_key", args=[account.pk])
    return Line("The API key is set and tested", answered, words, set_at, url)


def balance_read(account: SupplierAccount) -> Line:
    found = latest_balances(account)
    words = "It was read." if found else "It was never read."
    at = found[0].taken_at if found else None
    return Line("The balance is read", bool(found), words, at, reverse("suppliers:account_detail", args=[account.pk]))


def products_read(account: SupplierAccount) -> Line:
    reading = CatalogReading.objects.filter(account=account, read_at__isnull=False).first()
    words = f"{reading.count} products." if reading else "They were never read."
    at = reading.read_at if reading else None
    return Line("The products are read", reading is not None, words, at, reverse("catalog:product_list"))


def products_validated(account: SupplierAccount) -> Line:
    """At a live account: what is mapped may be ordered, because a probe of the sandbox read it (R5)."""
    label, url = "What is mapped was validated in the sandbox", reverse("onboarding:contract_detail", args=[account.pk])
    if account.is_sandbox:
        run = ProbeRun.objects.filter(account=account, state=PASSED, read_only=False).order_by("-started_at").first()
        words = "A probe that passed has a file for the live installation." if run else "No probe has passed yet."
        return Line(label, run is not None, words, run.ended_at if run else None, url)
    validated = ValidatedProduct.objects.filter(account=account)
    mapped = Mapping.objects.filter(account=account, state="active", sku__active=True)
    left = mapped.exclude(product__external_id__in=validated.values("external_id")).count()
    words = f"{validated.count()} validated, {left} mapped without."
    return Line(label, mapped.exists() and not left, words, validated.aggregate(at=Max("taken_at"))["at"], url)


def skus_mapped(account: SupplierAccount) -> Line:
    """Every SKU on sale is served by a product of this account."""
    here = Mapping.objects.filter(account=account, state="active")
    facts = here.filter(sku__active=True).aggregate(mapped=Count("sku", distinct=True), at=Max("activated_at"))
    left = Sku.objects.filter(active=True).count() - facts["mapped"]
    words = f"{facts['mapped']} mapped, {left} on sale without a product of this account."
    done = facts["mapped"] > 0 and left == 0
    return Line("Each SKU on sale is mapped", done, words, facts["at"], reverse("catalog:sku_list"))


def webhook_registered(account: SupplierAccount) -> Line:
    """A proven event shows that the address is known there."""
    at = last_event_at(account)
    words = (
        "A signed event came." if at else account.hook_registration or "No signed event came, and no ticket is noted."
    )
    url = reverse("suppliers:account_detail", args=[account.pk])
    return Line("The webhook address is registered", at is not None, words, at, url)


def webhook_calibrated(account: SupplierAccount) -> Line:
    pinned = last_pinned(account)
    words = f"Confirmed by {pinned.decided_by}." if pinned else "The scheme is the assumed one, not proven."
    at = pinned.ended_at if pinned else None
    url = reverse("suppliers:account_webhooks", args=[account.pk])
    return Line("The webhook scheme is calibrated", pinned is not None, words, at, url)


def probe_passed(account: SupplierAccount) -> Line:
    """At a live account the part that reads must have passed; the whole of it runs at its sandbox."""
    run = last_run(account, read_only=not account.is_sandbox)
    words = f"The last probe {'passed' if run.state == PASSED else 'failed'}." if run else "No probe was run."
    done = run is not None and run.state == PASSED
    url = reverse("onboarding:contract_detail", args=[account.pk])
    return Line("The contract probe passed", done, words, run.ended_at if run else None, url)


def claim_filed(account: SupplierAccount) -> Line:
    """A claim of the desk's own, or the one a probe filed."""
    filed = Claim.objects.filter(account=account).exclude(state__in=["draft", "unconfirmed"])
    probed = Exchange.objects.filter(account=account, purpose="claims.file", outcome="filed")
    at = probed.aggregate(at=Max("started_at"))["at"] or filed.aggregate(at=Max("drafted_at"))["at"]
    words = "The supplier took one." if at else "None was filed yet."
    return Line("A claim was filed", at is not None, words, at, reverse("claims:case_list"))


def day_signed(account: SupplierAccount) -> Line:
    signed = SignOff.objects.filter(day__account=account, state="signed").order_by("-reviewed_at").first()
    words = f"Signed by {signed.reviewed_by}." if signed else "No day is signed yet."
    at = signed.reviewed_at if signed else None
    return Line("A reconciled day is signed off", signed is not None, words, at, reverse("reconciliation:day_list"))


def second_administrator(account: SupplierAccount) -> Line:
    """Schemes and keys need a second person, also on the day one is away."""
    people = people_with(Permission.ACCOUNT_MANAGE)
    words = f"{', '.join(str(person) for person in people)}." if people else "There is none."
    return Line("There are two administrators", len(people) >= 2, words, None, reverse("staff:people"))


LOOKERS: tuple[Looker, ...] = (
    key_tested,
    balance_read,
    products_read,
    skus_mapped,
    products_validated,
    webhook_registered,
    webhook_calibrated,
    probe_passed,
    claim_filed,
    day_signed,
    second_administrator,
)
BY_PEOPLE = {
    "rotation": "Exchanging the key was tried once",
    "pausing": "Who pauses the account, and when, is agreed",
    "testing": "The supplier knows which orders were tests",
}


@dataclass(frozen=True)
class Group:
    """Lines that belong together, under one heading."""

    label: str
    lines: list[Line]

    @property
    def done(self) -> int:
        return sum(line.done for line in self.lines)


def seen_by_the_desk(account: SupplierAccount) -> list[Line]:
    return [look(account) for look in LOOKERS]


def told_by_people(account: SupplierAccount) -> list[Line]:
    ticks = {tick.line: tick for tick in ChecklistTick.objects.filter(account=account).select_related("ticked_by")}
    return [line_of_people(key, label, ticks.get(key)) for key, label in BY_PEOPLE.items()]


def line_of_people(key: str, label: str, tick: ChecklistTick | None) -> Line:
    words = f"{tick.ticked_by}{f': {tick.note}' if tick.note else ''}" if tick else "Nobody said so yet."
    return Line(label, tick is not None, words, tick.ticked_at if tick else None, key=key, tick=tick)


def line_of_register(account: SupplierAccount, found: agreed.Line) -> Line:
    """One kind of the register: done while a confirmed statement holds, and what to do until then (R13, R14)."""
    url = reverse("terms:account_term", args=[account.pk, found.kind.key])
    at = found.statement.confirmed_at if found.statement and found.holds else None
    words = found.words if found.holds else f"{found.words.capitalize()}. {found.kind.until}"
    return Line(found.kind.label, found.holds, words, at, url)


def groups_of(account: SupplierAccount) -> list[Group]:
    """The whole checklist of an account: what the desk and its people know, then each kind of the register."""
    registers = agreed.grouped(agreed.standing(account))
    return [
        Group("Before the account is used", [*seen_by_the_desk(account), *told_by_people(account)]),
        *(Group(label, [line_of_register(account, one) for one in members]) for label, members in registers),
    ]


def check_line(line: str) -> str:
    """The label of a line that people tick; Refused for any other."""
    if line not in BY_PEOPLE:
        raise Refused("This line is not ticked by hand: the desk looks for itself. Nothing was changed.")
    return BY_PEOPLE[line]


def tick(*, by: User, account: SupplierAccount, line: str, note: str = "") -> None:
    """Say that a line is done, with name and date; Refused when it was said already."""
    check_can(by, Permission.ACCOUNT_MANAGE)
    label = check_line(line)
    try:
        with transaction.atomic():
            ChecklistTick.objects.create(account=account, line=line, note=note.strip()[:200], ticked_by=by)
            record("checklist.ticked", by=by, subject=account, reason=note.strip()[:200], what=label)
    except IntegrityError:
        raise Refused(f"“{label}” was ticked already. Nothing was changed. Reload the page.") from None


def untick(*, by: User, account: SupplierAccount, line: str) -> None:
    """Take a tick back; who had ticked it stays on the record."""
    check_can(by, Permission.ACCOUNT_MANAGE)
    label = check_line(line)
    with transaction.atomic():
        if not ChecklistTick.objects.filter(account=account, line=line).delete()[0]:
            raise Refused(f"“{label}” was not ticked. Nothing was changed. Reload the page.")
        record("checklist.unticked", by=by, subject=account, what=label)
