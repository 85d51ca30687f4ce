"""Closing the books of an owner up to a day. What comes late is booked on an open day, with its true day in the memo."""

from __future__ import annotations

from datetime import date

from django.db import IntegrityError, transaction
from django.utils import timezone

from ledger.checkpoints import checkpoint
from ledger.errors import BadEntry
from ledger.models import Closing


def closed_through(owner: str) -> date | None:
    """The last day on which nothing can be booked any more; None if the books were never closed."""
    return Closing.objects.filter(owner=owner).order_by("-through").values_list("through", flat=True).first()


def close_books(*, owner: str, through: date, closed_by: str, reviewed_by: str) -> Closing:
    """Close every account of `owner` up to and including `through`, over a checkpoint; two different names, for good.

    Raises BadEntry for a day that is not over (UTC), one that is closed already, one person alone, or books without a
    movement; nothing is closed then.
    """
    if through >= timezone.now().date():
        raise BadEntry(f"{through} is not over yet (UTC). Nothing was closed. Close it once the day has passed.")
    if not closed_by or not reviewed_by or closed_by == reviewed_by:
        raise BadEntry("Closing the books takes two different people. Nothing was closed. Ask a second one.")
    last = closed_through(owner)
    if last is not None and last >= through:
        raise BadEntry(f"The books of {owner} are closed through {last} already. Nothing was closed.")
    made = checkpoint()
    if made is None:
        raise BadEntry("Nothing was ever booked. Nothing was closed.")
    try:
        with transaction.atomic():
            return Closing.objects.create(
                owner=owner,
                through=through,
                checkpoint=made,
                closed_at=timezone.now(),
                closed_by=closed_by,
                reviewed_by=reviewed_by,
            )
    except IntegrityError:
        raise BadEntry(f"Somebody closed the books of {owner} at the same moment. Look at them again.") from None
