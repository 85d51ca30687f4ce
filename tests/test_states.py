"""States move by `transition()` and by listed moves only; whatever else is tried is refused and leaves everything as it was."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from procurement.audit.models import AuditEvent
from procurement.errors import Refused, StaleState
from procurement.orders.models import Attempt, Order
from procurement.orders.services import drafting
from procurement.orders.states import ATTEMPT, ORDER
from procurement.states import Machine, transition
from procurement.work.models import DueWork
from tests.orders.conftest import Shop, run_until_settled, sandbox_server, shop
from tests.states_guarded import StateWritten, states_guarded
from tests.test_architecture import PROJECT, in_apart, name_of

__all__ = ["sandbox_server", "shop"]
WRITERS = {
    "procurement/states.py::transition",
    # A new row's first state; a row whose state no machine governs; an object in memory brought up to its row.
    "procurement/orders/services/receiving.py::build_code",
    "procurement/orders/services/outcomes.py::end_proposal",
    "procurement/suppliers/clients/recording.py::_move",
}


def machines() -> list[Machine]:
    found = []
    for path in PROJECT:
        if path.name == "states.py" and not in_apart(path):
            module = importlib.import_module(name_of(path).removesuffix(".py").replace("/", "."))
            found += [value for value in vars(module).values() if isinstance(value, Machine)]
    return found


def unlisted(machine: Machine) -> list[tuple[str, str]]:
    listed = {(move.source, move.target) for move in machine.moves}
    every = [(source, target) for source in machine.statuses for target in machine.statuses]
    return [pair for pair in every if pair not in listed]


@pytest.mark.parametrize("machine", machines(), ids=lambda machine: machine.name)
def test_every_listed_move_is_between_known_states_and_every_other_is_refused(machine: Machine) -> None:
    for move in machine.moves:
        assert {move.source, move.target} <= set(machine.statuses)
        assert machine.move(move.source, move.target, move.event) is move
    for source, target in unlisted(machine):
        with pytest.raises(Refused, match=r"Nothing was changed\.$"):
            machine.move(source, target)


def picture() -> list[Any]:
    """Everything a move could change."""
    return [list(model._default_manager.order_by("pk").values()) for model in (Order, Attempt, AuditEvent, DueWork)]


@pytest.mark.django_db(transaction=True)
def test_an_unlisted_move_leaves_everything_as_it_was(shop: Shop) -> None:
    order = drafting.submit_order(by=None, order=shop.order(None))
    attempt = order.attempts.get()
    pairs: list[tuple[Any, Machine]] = [(order, ORDER), (attempt, ATTEMPT)]
    for obj, machine in pairs:
        model = type(obj)
        for source in machine.statuses:
            # Only constraints that belong to later states stand in the way of setting it up.
            model.objects.filter(pk=obj.pk).update(state=source, **({"remote_id": "x"} if obj is order else {}))
            obj.refresh_from_db()
            before = picture()
            for target in (target for at, target in unlisted(machine) if at == source):
                with pytest.raises(Refused):
                    transition(obj, target, by=None, machine=machine, problem="written all the same")
                assert obj.state == source
            assert picture() == before


@pytest.mark.django_db(transaction=True)
def test_of_two_who_read_the_same_version_one_writes_and_the_other_changes_nothing(shop: Shop) -> None:
    first = drafting.submit_order(by=None, order=shop.order(None))
    second = Order.objects.get(pk=first.pk)
    transition(first, "placing", by=None, machine=ORDER)
    before = picture()

    with pytest.raises(StaleState):
        transition(second, "cancelled", by=None, machine=ORDER, problem="too late")

    assert picture() == before
    assert (second.state, second.problem) == ("approved", "")


def writers(tree: ast.AST, name: str) -> Iterator[str]:
    """Functions that write an attribute, keyword or field called `state`, as `file::function`."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if is_written(node):
                    yield f"{name}::{function.name}"


def is_written(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        flat = [part for target in targets for part in ast.walk(target)]
        return any(
            isinstance(part, ast.Attribute) and part.attr == "state" and isinstance(part.ctx, ast.Store)
            for part in flat
        )
    if not isinstance(node, ast.Call):
        return False
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    named = {word.arg for word in node.keywords}
    quoted = {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}
    updating = called in {"update", "update_or_create"} and "state" in named
    return updating or (called in {"bulk_update", "setattr", "__setattr__", "save"} and "state" in quoted)


WAYS = {
    "a plain assignment": "def f(order): order.state = 'paid'",
    "one of several": "def f(order): order.problem, order.state = '', 'paid'",
    "an update over lines": "def f(rows):\n    rows.filter(pk=1).update(\n        problem='',\n        state='paid',\n    )",
    "a bulk update": "def f(rows): Order.objects.bulk_update(rows, ['state'])",
    "by name": "def f(order): setattr(order, 'state', 'paid')",
    "one field saved": "def f(order): order.save(update_fields=['state'])",
}


@pytest.mark.parametrize("way", WAYS)
def test_the_search_finds_each_way_to_write_a_state(way: str) -> None:
    assert list(writers(ast.parse(WAYS[way]), "sample.py")) == ["sample.py::f"]


def test_nothing_but_transition_writes_a_state() -> None:
    found = {
        one
        for path in PROJECT
        if not in_apart(path)
        for one in writers(ast.parse(Path(path).read_text(encoding="utf-8")), name_of(path))
    }

    assert found - WRITERS == set()
    assert "procurement/states.py::transition" in found


def by_update(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(state="paid", problem="")


def by_save(order: Order) -> None:
    order.state = "paid"
    order.save()


def by_bulk(order: Order) -> None:
    order.state = "paid"
    Order.objects.bulk_update([order], ["state"])


def by_sql(order: Order) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE orders_order SET problem = '', state = 'paid' WHERE client_order_id = %s", [str(order)])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("write", [by_update, by_save, by_bulk, by_sql])
def test_a_state_written_at_run_time_is_refused(shop: Shop, write: Callable[[Order], None]) -> None:
    order = shop.order(None)
    before = picture()

    with states_guarded(), pytest.raises(StateWritten):
        write(Order.objects.get(pk=order.pk))

    assert picture() == before


@pytest.mark.django_db(transaction=True)
def test_a_purchase_from_draft_to_codes_writes_its_states_by_transition(shop: Shop) -> None:
    with states_guarded():
        orders = [drafting.submit_order(by=None, order=shop.order(None, code)) for code in ("alpha", "psnb2b")]
        cancelled = drafting.submit_order(by=None, order=shop.order(None, "alpha", 1))
        with transaction.atomic():
            drafting.cancel_order(by=None, order=cancelled, reason="Not needed")
        settled = [run_until_settled(order).state for order in orders]

    assert (settled, cancelled.state) == (["codes_stored", "codes_stored"], "cancelled")
