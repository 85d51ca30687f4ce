"""The sandbox's one clock, UTC: real time plus an offset, or standing still."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from procurement.sandbox import memory
from procurement.sandbox.models import World


def now() -> datetime:
    """The sandbox's present moment; every time it stores, compares or prints comes from here."""
    world = memory.world()
    return world.clock_frozen_at or datetime.now(UTC) + timedelta(seconds=world.clock_offset_seconds)


def set_to(*, offset_seconds: float = 0, frozen_at: datetime | None = None) -> None:
    """Shift the clock by seconds, or stop it at a moment; with neither it is real time again."""
    World.objects.update(clock_offset_seconds=offset_seconds, clock_frozen_at=frozen_at)
    memory.forget()


def text(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as both APIs print it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
