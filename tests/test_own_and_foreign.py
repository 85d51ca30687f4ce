"""Whose it is: at every address with an object, each role tries its own and somebody else's, and only what may happen does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from procurement.bookkeeping.models import Correction, Deposit
from procurement.catalog.models import Mapping
from procurement.claims.models import Case
from procurement.custody.models import Destruction
from procurement.demo.documents import gets_there, named_views
from procurement.demo.ownership import DIFFERS, SAME, Rule
from procurement.orders.models import (
    CodeImport,
    DeliveryFile,
    Order,
    Resolution,
    Reveal,
    RevealAlert,
    UnclaimedOrder,
)
from procurement.orders.services import drafting
from procurement.orders.unclaimed import mark_of
from procurement.people.models import Proposal
from procurement.reconciliation.models import Day, Difference, SignOff
from procurement.reconciliation.signing import digest, frozen
from procurement.staff.models import Session, User
from procurement.staff.roles import ROLES, Role
from procurement.suppliers.models import SupplierAccount, WebhookCalibration
from procurement.terms.models import Question, Statement
from procurement.vault.models import CryptoKey
from procurement.web.once import new_token
from tests.conftest import make_person
from tests.fixtures_sandbox import SandboxServer, sandbox_server
from tests.orders.conftest import open_shop
from tests.test_url_walk import ADDRESSES
from tests.world import World, build_world

__all__ = ["sandbox_server"]

VIEWS = dict(named_views())
WITH_OBJECT = {name for name, arguments in ADDRESSES if arguments}
WHY = "Seen in the supplier's own list today"
PASSPHRASE = "correct horse battery staple"


def test_each_address_with_an_object_says_whether_it_matters_whose_it_is() -> None:
    assert set(DIFFERS) | SAME == WITH_OBJECT
    assert set(DIFFERS) & SAME == set()


@dataclass
class Scene:
    """Who acts, a colleague with the same role, and which of the two the object belongs to."""

    world: World
    actor: User
    colleague: User
    own: bool

    @property
    def owner(self) -> User:
        return self.actor if self.own else self.colleague

    def pk(self, key: str) -> Any:
        return self.world.objects[f"{key} pk"]

    def somebody(self, name: str) -> User:
        """One of the people who made the world."""
        return User.objects.get(username=name)


@dataclass
class Try:
    """The rows that tell whether something happened, what is sent, and to what of the address."""

    rows: Any
    data: dict[str, Any]
    arguments: dict[str, Any]

    def state(self) -> list[dict[str, Any]]:
        return list(self.rows.order_by("pk").values())


def try_row(row: Any, **data: Any) -> Try:
    """An address of this very row."""
    return Try(type(row).objects.filter(pk=row.pk), data, {"pk": row.pk})


def given(scene: Scene, model: Any, key: str, column: str, **more: Any) -> Any:
    """The world's row, as if it were the owner's."""
    model.objects.filter(pk=scene.pk(key)).update(**{column: scene.owner}, **more)
    return model.objects.get(pk=scene.pk(key))


def copied(row: Any, **changes: Any) -> Any:
    """A row like this one, with other values: for what the database lets nobody change."""
    key = row._meta.pk
    setattr(row, key.attname, key.get_default() if key.has_default() else None)
    for name, value in changes.items():
        setattr(row, name, value)
    row.save(force_insert=True)
    return row


# --- an object of the owner's for each rule ---


def approval(scene: Scene) -> Try:
    order = drafting.submit_order(by=scene.owner, order=scene.world.shop.order(scene.owner, "alpha", 20))
    assert order.approval
    return try_row(order.approval, decision="approve", shown=order.approval.content_hash)


def correction(scene: Scene) -> Try:
    return try_row(given(scene, Correction, "bookkeeping:correction", "proposed_by"))


def deposit(scene: Scene) -> Try:
    row = given(scene, Deposit, "bookkeeping:deposit", "announced_by", state="sent")
    return try_row(row, amount="5.00", credited_on=f"{timezone.now():%Y-%m-%d}", reason=WHY)


def mapping(scene: Scene) -> Try:
    return try_row(given(scene, Mapping, "catalog:mapping", "drafted_by"))


def destruction(scene: Scene) -> Try:
    """Of a key that nothing needs any more."""
    now = timezone.now()
    changes = {"pk": 99, "version": 99, "status": "decrypt_only", "retired_at": now - timedelta(days=2)}
    key = copied(CryptoKey.objects.get(pk=scene.pk("custody:key")), **changes)
    return try_row(Destruction.objects.create(key=key, values=0, reason=WHY, proposed_by=scene.owner))


def alert(scene: Scene) -> Try:
    return try_row(given(scene, RevealAlert, "orders:alert", "person"), reason=WHY)


def code(scene: Scene) -> Try:
    case = given(scene, Case, "claims:case", "owner")
    shown = Reveal.objects.filter(person=scene.actor, outcome="shown")
    return Try(shown, {"ground": f"case:{case.pk}", "why": "fault", "reason": WHY}, {"pk": scene.pk("orders:code")})


def file(scene: Scene, **more: Any) -> Try:
    row = given(scene, DeliveryFile, "orders:delivery", "requested_by", **more)
    return try_row(row, passphrase=PASSPHRASE, again=PASSPHRASE)


def released_file(scene: Scene) -> Try:
    decided = {"decided_by": scene.somebody("dora_drafter"), "decided_at": timezone.now()}
    return file(scene, state="released", **decided)


def brought_codes(scene: Scene) -> Try:
    return try_row(given(scene, CodeImport, "orders:import", "uploaded_by"))


def draft(scene: Scene) -> Try:
    return try_row(scene.world.shop.order(scene.owner, "alpha", 1), quantity="2")


def asked_order(scene: Scene) -> Try:
    return try_row(drafting.submit_order(by=scene.owner, order=scene.world.shop.order(scene.owner, "alpha", 20)))


def order_asked_by(scene: Scene) -> Order:
    """An order nobody is sure of: the world's is a buyer's, one's own is like it."""
    order = Order.objects.get(pk=scene.pk("orders:unconfirmed"))
    if not scene.own:
        return order
    attempt = order.attempts.latest("pk")
    order = copied(order, requested_by=scene.owner, client_order_id="ORDER-9999")
    copied(attempt, order=order, idempotency_key="of-the-copy")
    return order


def proposed_outcome(order: Order, by: User) -> Try:
    made = Resolution.objects.create(
        order=order, verdict="not_placed", reason=WHY, requester=order.requested_by, proposed_by=by
    )
    return Try(Resolution.objects.filter(pk=made.pk), {"proposal": str(made.pk)}, {"pk": order.pk})


def outcome(scene: Scene) -> Try:
    return proposed_outcome(Order.objects.get(pk=scene.pk("orders:unconfirmed")), scene.owner)


def outcome_of_order(scene: Scene) -> Try:
    return proposed_outcome(order_asked_by(scene), scene.somebody("dora_drafter"))


def outcome_to_propose(scene: Scene) -> Try:
    order = order_asked_by(scene)
    data = {"verdict": "not_placed", "reason": WHY, "acknowledged": "yes"}
    return Try(Resolution.objects.filter(order=order), data, {"pk": order.pk})


def unclaimed(scene: Scene, by: User, **more: Any) -> Try:
    rows = UnclaimedOrder.objects.filter(pk=scene.pk("orders:unclaimed"))
    rows.update(proposal="dismissed", reason=WHY, proposed_by=by, proposed_at=timezone.now(), **more)
    return try_row(rows.get(), shown=mark_of(rows.get()))


def unclaimed_proposed(scene: Scene) -> Try:
    return unclaimed(scene, scene.owner)


def repeated_order(scene: Scene) -> Order:
    order = scene.world.shop.order(None, "alpha", 1)
    Order.objects.filter(pk=order.pk).update(requested_by=scene.owner)
    return order


def unclaimed_repeating(scene: Scene) -> Try:
    return unclaimed(scene, scene.somebody("dora_drafter"), second_of=repeated_order(scene))


def unclaimed_to_propose(scene: Scene) -> Try:
    rows = UnclaimedOrder.objects.filter(pk=scene.pk("orders:unclaimed"))
    rows.update(second_of=repeated_order(scene))
    return try_row(rows.get(), proposal="dismissed", reason=WHY)


def proposal(scene: Scene, by: User, about: User) -> Try:
    """Of other roles for somebody."""
    made = copied(
        Proposal.objects.get(pk=scene.pk("people:proposal")),
        proposed_by=by,
        subject=about,
        about=str(about.pk),
        before={"roles": list(about.role_names)},
        after={"roles": ["auditor"]},
    )
    return try_row(made, decision="confirm")


def proposal_made(scene: Scene) -> Try:
    return proposal(scene, scene.owner, scene.somebody("dora_drafter"))


def proposal_about(scene: Scene) -> Try:
    return proposal(scene, scene.somebody("ina_invites"), scene.owner)


def the_day(scene: Scene) -> tuple[Day, dict[str, Any]]:
    arguments = {name: scene.world.objects[f"reconciliation:day {name}"] for name in ("code", "currency", "day")}
    return Day.objects.get(
        account__code=arguments["code"], currency=arguments["currency"], day=arguments["day"]
    ), arguments


def prepared_day(scene: Scene) -> Try:
    day, arguments = the_day(scene)
    now = timezone.now()
    content = frozen(day, now)
    made = SignOff.objects.create(
        day=day, content=content, content_hash=digest(content), prepared_by=scene.owner, prepared_at=now
    )
    return Try(SignOff.objects.filter(pk=made.pk), {"hash": made.content_hash}, arguments)


def difference(scene: Scene) -> Try:
    return try_row(given(scene, Difference, "reconciliation:difference", "explained_by", cause="other", note=WHY))


def session(scene: Scene) -> Try:
    key, later = "b" * 64, timezone.now() + timedelta(hours=1)
    Session.objects.create(
        session_key=key, user=scene.owner, session_data="", expire_date=later, began_at=timezone.now()
    )
    return Try(Session.objects.filter(pk=key), {}, {"key": key})


def calibration(scene: Scene) -> Try:
    account, now = SupplierAccount.objects.get(pk=scene.pk("suppliers:account")), timezone.now()
    made = WebhookCalibration.objects.create(
        account=account, started_by=scene.owner, proposal={}, proof=WHY, proposed_by=scene.owner, proposed_at=now
    )
    data = {"act": "confirm", "calibration_id": str(made.pk), "proposed_at": now.isoformat()}
    return Try(WebhookCalibration.objects.filter(pk=made.pk), data, {"pk": account.pk})


def question(scene: Scene) -> Try:
    return try_row(given(scene, Question, "terms:question", "answered_by"))


def statement(scene: Scene) -> Try:
    return try_row(given(scene, Statement, "terms:statement", "recorded_by"))


# For each address what is tried, in the order of its rules.
TRIES: dict[str, tuple[Callable[[Scene], Try], ...]] = {
    "approvals:request_decide": (approval,),
    "bookkeeping:correction_book": (correction,),
    "bookkeeping:correction_decline": (correction,),
    "bookkeeping:deposit_credit": (deposit,),
    "catalog:mapping_activate": (mapping,),
    "custody:destruction_confirm": (destruction,),
    "orders:alert_look": (alert,),
    "orders:code_copy": (code,),
    "orders:code_reveal": (code,),
    "orders:delivery_decline": (file,),
    "orders:delivery_fetch": (released_file,),
    "orders:delivery_release": (file,),
    "orders:import_decline": (brought_codes,),
    "orders:import_take_in": (brought_codes,),
    "orders:order_quantity": (draft,),
    "orders:order_submit": (draft,),
    "orders:order_withdraw": (asked_order,),
    "orders:outcome_confirm": (outcome, outcome_of_order),
    "orders:outcome_decline": (outcome,),
    "orders:outcome_propose": (outcome_to_propose,),
    "orders:unclaimed_confirm": (unclaimed_proposed, unclaimed_repeating),
    "orders:unclaimed_decline": (unclaimed_proposed,),
    "orders:unclaimed_propose": (unclaimed_to_propose,),
    "people:proposal_decide": (proposal_made, proposal_about),
    "reconciliation:day_sign": (prepared_day,),
    "reconciliation:difference_accept": (difference,),
    "staff:session_end": (session,),
    "suppliers:account_webhooks": (calibration,),
    "terms:question_check": (question,),
    "terms:statement_confirm": (statement,),
}


@contextmanager
def taken_back() -> Iterator[None]:
    """All that is written meanwhile is undone; what must be an outermost transaction may be one inside."""
    undone: Any = transaction.atomic()
    undone._from_testcase = True
    with undone:
        yield
        transaction.set_rollback(True)


def wrong_about(
    world: World, name: str, rule: Rule, prepare: Callable[[Scene], Try], role: type[Role], own: bool
) -> str:
    """Try one cell; what is wrong with it, empty if nothing."""
    with taken_back():
        scene = Scene(world, make_person("the_actor", role.name), make_person("the_colleague", role.name), own)
        attempt = prepare(scene)
        before = attempt.state()
        client = Client(raise_request_exception=False)
        client.force_login(scene.actor)
        answer: Any = client.post(reverse(name, kwargs=attempt.arguments), {"once": new_token(), **attempt.data})
        happened, allowed = attempt.state() != before, rule.allows(role, own=own)
        if answer.status_code < 500 and happened == allowed:
            return ""
        said = "done" if happened else "not done"
        return f"{name}, {role.name}, {'own' if own else 'foreign'} ({rule.who}): {said}, {answer.status_code}"


@pytest.mark.django_db
@pytest.mark.requirement("R63", "R35")
def test_what_is_ones_own_and_what_is_not_is_kept_apart_at_every_address(sandbox_server: SandboxServer) -> None:
    """Each cell of the second table of docs/permissions.md: what is allowed happens, what is not leaves its rows alone."""
    shop = open_shop(sandbox_server)
    buyer, support = make_person("ben_buyer", "buyer"), make_person("sam_support", "support")
    world = build_world(shop, buyer, support, make_person("dora_drafter", "buyer"))

    assert {name: len(tries) for name, tries in TRIES.items()} == {name: len(rules) for name, rules in DIFFERS.items()}
    cells = [
        (name, rule, prepare, role, own)
        for name, rules in DIFFERS.items()
        for rule, prepare in zip(rules, TRIES[name], strict=True)
        for role in ROLES.values()
        for own in (True, False)
        if gets_there(role, VIEWS[name])
    ]

    assert [wrong for cell in cells if (wrong := wrong_about(world, *cell))] == []
