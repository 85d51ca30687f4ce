"""What pages show of an account's contract: what each clause is worth today, and the runs that found it out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from procurement.onboarding.contract import Clause, clauses_of
from procurement.onboarding.models import ProbeResult, ProbeRun
from procurement.onboarding.states import ASSUMED, CONTRADICTED, NOT_SEEN, OBSERVED, RUNNING, verdict_status
from procurement.states import Status
from procurement.suppliers.models import SupplierAccount
from procurement.web.lists import Column

RUNS_SHOWN = 20


@dataclass(frozen=True)
class Standing:
    """One clause as it stands: the last verdict of any run, and the last one before it that differed."""

    clause: Clause
    last: ProbeResult | None
    before: ProbeResult | None

    @property
    def verdict(self) -> str:
        return self.last.verdict if self.last else NOT_SEEN

    @property
    def status(self) -> Status:
        return verdict_status(self.verdict, self.clause.source)

    @property
    def seen(self) -> str:
        if self.last:
            return self.last.seen
        return "" if self.clause.judge else "A probe of a few minutes can't show it."

    @property
    def seen_at(self) -> datetime | None:
        return self.last.found_at if self.last else None


def contract_of(account: SupplierAccount) -> list[Standing]:
    """Every clause of the account's contract. A run that did not see a clause leaves the last verdict standing."""
    rows = ProbeResult.objects.filter(run__account=account).exclude(verdict=NOT_SEEN).select_related("run")
    found: dict[str, list[ProbeResult]] = {}
    for row in rows.order_by("-found_at", "-pk"):
        found.setdefault(row.clause, []).append(row)
    return [standing_of(clause, found.get(clause.key, [])) for clause in clauses_of(account.dialect)]


def standing_of(clause: Clause, newest_first: list[ProbeResult]) -> Standing:
    last = newest_first[0] if newest_first else None
    before = next((one for one in newest_first if last and one.verdict != last.verdict), None)
    return Standing(clause, last, before)


def contradictions() -> dict[SupplierAccount, list[str]]:
    """What accounts contradict now, in the clauses' words: no later probe has observed it. One query."""
    later = ProbeResult.objects.filter(
        run__account=OuterRef("run__account"),
        clause=OuterRef("clause"),
        verdict=OBSERVED,
        found_at__gt=OuterRef("found_at"),
    )
    rows = ProbeResult.objects.filter(~Exists(later), verdict=CONTRADICTED).select_related("run__account")
    found: dict[SupplierAccount, list[str]] = {}
    for row in rows.order_by("run__account__name", "place", "-found_at"):
        said = found.setdefault(row.run.account, [])
        if row.says not in said:
            said.append(row.says)
    return found


def contract_in_words(standings: Iterable[Standing]) -> str:
    """`30 clauses: 27 observed, 1 contradicted, 2 documented or assumed only.`"""
    counts = Counter(one.verdict for one in standings)
    parts = {OBSERVED: "observed", CONTRADICTED: "contradicted", NOT_SEEN: "documented or assumed only"}
    told = ", ".join(f"{counts[verdict]} {words}" for verdict, words in parts.items() if counts[verdict])
    return f"{counts.total()} clauses: {told}."


def runs_of(account: SupplierAccount) -> QuerySet[ProbeRun]:
    """Runs at an account, newest first, each with how many clauses it contradicted and how many steps failed."""
    contradicted = Count("results", filter=Q(results__verdict=CONTRADICTED), distinct=True)
    broken = Count("steps", filter=Q(steps__outcome="failed"), distinct=True)
    rows = ProbeRun.objects.filter(account=account).select_related("started_by").defer("products")
    return rows.annotate(contradicted=contradicted, broken=broken).order_by("-started_at")


def last_run(account: SupplierAccount, *, read_only: bool) -> ProbeRun | None:
    """The last run that ended; a full one serves where reading is asked for."""
    rows = ProbeRun.objects.filter(account=account).exclude(state__in=[RUNNING, "stopped"])
    return (rows if read_only else rows.filter(read_only=False)).order_by("-started_at").first()


def source_words(source: str) -> str:
    return "assumed" if source == ASSUMED else "documented"


STANDING_COLUMNS: tuple[Column[Standing], ...] = (  # type: ignore[type-var]
    Column("clause", lambda one: one.clause.says),
    Column("source", lambda one: source_words(one.clause.source)),
    Column("verdict", lambda one: one.status.label),
    Column("seen", lambda one: one.seen),
    Column("seen at", lambda one: one.seen_at),
    Column("last different verdict", lambda one: one.before.status.label if one.before else ""),
    Column("its time", lambda one: one.before.found_at if one.before else None),
    Column("key", lambda one: one.clause.key),
)
RESULT_COLUMNS: tuple[Column[ProbeResult], ...] = (
    Column("clause", lambda row: row.says),
    Column("source", lambda row: source_words(row.source)),
    Column("verdict", lambda row: row.status.label),
    Column("seen", lambda row: row.seen),
    Column("found at", lambda row: row.found_at),
    Column("key", lambda row: row.clause),
)
