"""State machines as data, and the one function that moves an object from state to state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models, transaction

from procurement.audit.services import record
from procurement.errors import Refused, StaleState
from procurement.faultpoints import faultpoint
from procurement.staff.models import User


@dataclass(frozen=True)
class Status:
    """A state as people see it: its word, its tone (neutral, progress, good, attention, bad, hold) and who must act next."""

    label: str
    tone: str
    owner: str


@dataclass(frozen=True)
class Move:
    """One allowed step, who causes it, and the audit event it leaves."""

    source: str
    target: str
    event: str
    caused_by: str


@dataclass(frozen=True)
class Machine:
    """All states and all allowed steps of one kind of object; docs/states.md is generated from it."""

    name: str
    statuses: Mapping[str, Status]
    moves: tuple[Move, ...]

    def move(self, source: str, target: str, event: str = "") -> Move:
        """The step from `source` to `target`, of several the one with `event`; Refused if the table does not list it."""
        for move in self.moves:
            if (move.source, move.target) == (source, target) and event in ("", move.event):
                return move
        now, wanted = self.statuses[source].label, self.statuses[target].label
        raise Refused(f"This {self.name} is “{now}” and cannot become “{wanted}”. Nothing was changed.")

    @property
    def final(self) -> frozenset[str]:
        """States no step leaves."""
        return frozenset(self.statuses) - {move.source for move in self.moves}


def transition(
    obj: Any,
    to: str,
    *,
    by: User | None,
    machine: Machine,
    reason: str = "",
    source: str = "",
    event: str = "",
    facts: Mapping[str, Any] | None = None,
    **changes: Any,
) -> None:
    """Move `obj` to state `to`, writing `changes` and the audit row with it; the only writer of a `state` column.

    The UPDATE names the state and version the caller read, so of two callers one wins and the other gets StaleState,
    on SQLite as on PostgreSQL. Raises Refused for a step the machine does not list. `event` tells two causes of one step apart.
    """
    move = machine.move(obj.state, to, event)
    model: type[models.Model] = type(obj)
    point = f"{machine.name}.{obj.state}-{to}"
    faultpoint(f"{point}.before")
    with transaction.atomic():
        moved = model._default_manager.filter(pk=obj.pk, state=obj.state, version=obj.version).update(
            state=to, version=obj.version + 1, **changes
        )
        if moved != 1:
            raise StaleState(
                f"{obj} was changed by someone else meanwhile. Nothing was done. Look at it again before you act."
            )
        before, obj.state, obj.version = obj.state, to, obj.version + 1
        for name, value in changes.items():
            setattr(obj, name, value)
        record(
            move.event,
            by=by,
            subject=obj,
            reason=reason,
            source=source,
            from_state=before,
            to_state=to,
            **(facts or {}),
        )
    faultpoint(f"{point}.after")
