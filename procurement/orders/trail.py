"""Who had access to a code, and who before it was handed over: what a claim needs, without any code (N13, N16)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from procurement.orders.custody import SEEN, DeliveryLine, Reveal
from procurement.orders.models import Code
from procurement.web.clock import stamp


@dataclass(frozen=True)
class Trail:
    """One code with everything that was asked of it, oldest first."""

    code: Code
    asked: list[Reveal]
    files: list[DeliveryLine]

    @property
    def seen(self) -> list[Reveal]:
        """What gave access: a refusal and a code that could not be opened did not."""
        return [reveal for reveal in self.asked if reveal.outcome in SEEN]

    @property
    def before(self) -> list[Reveal]:
        """Access before the code was handed over; all of it while it is not."""
        until = self.code.handed_over_at
        return [reveal for reveal in self.seen if until is None or reveal.at < until]

    @property
    def names(self) -> str:
        """Those who had access before the hand-over, each once."""
        return listed(str(reveal.person) for reveal in self.before)

    @property
    def sentence(self) -> str:
        until: datetime | None = self.code.handed_over_at
        who = self.names or "Nobody"
        if until is None:
            return f"{who} had access to this code so far; it was not handed over."
        return f"{who} had access to this code before it was handed over {stamp(until)} UTC."


def listed(names: Iterable[str]) -> str:
    """`Ana, Ben and Sam`, each name once."""
    unique = list(dict.fromkeys(names))
    return " and ".join(filter(None, [", ".join(unique[:-1]), unique[-1]])) if unique else ""


def trails_of(codes: Iterable[Code]) -> list[Trail]:
    """The trail of each code, in two further queries however many they are."""
    codes = list(codes)
    asked: dict[object, list[Reveal]] = {code.pk: [] for code in codes}
    for reveal in Reveal.objects.filter(code__in=codes).select_related("person").order_by("at", "number"):
        asked[reveal.code_id].append(reveal)
    files: dict[object, list[DeliveryLine]] = {code.pk: [] for code in codes}
    fetched = DeliveryLine.objects.filter(code__in=codes, file__state="fetched")
    for line in fetched.select_related("file__requested_by", "file__decided_by").order_by("file__fetched_at"):
        files[line.code_id].append(line)
    return [Trail(code, asked[code.pk], files[code.pk]) for code in codes]


def trail_of(code: Code) -> Trail:
    return trails_of([code])[0]
