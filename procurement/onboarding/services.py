"""Starting, taking on and ending a contract probe; ticking the checklist."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from procurement.audit.services import record
from procurement.errors import DomainError, Refused
from procurement.onboarding.contract import clauses_of
from procurement.onboarding.evidence import Evidence
from procurement.onboarding.models import ProbeResult, ProbeRun, ProbeStep
from procurement.onboarding.states import (
    BROKE,
    CONTRADICTED,
    FAILED,
    HELD,
    NOT_SEEN,
    PASSED,
    PROBE,
    RUNNING,
    SKIPPED,
    STOPPED,
    WAITING,
)
from procurement.onboarding.steps import NotOffered, NotYet, StepFailed
from procurement.onboarding.suite import BY_NAME, STEPS
from procurement.staff.access import check_can
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import transition
from procurement.suppliers.clients.problems import Throttled
from procurement.suppliers.models import SupplierAccount
from procurement.work.services import make_due

WORK_KIND = "probe.run"
PATIENCE = 300
LOOK_AGAIN = timedelta(seconds=1)
# Steps begun in one go; the next turn of the worker takes the others, so that no lease ends meanwhile.
IN_ONE_GO = timedelta(seconds=20)


def running_probe(account: SupplierAccount) -> ProbeRun | None:
    """The run under way at an account."""
    return ProbeRun.objects.select_related("account", "mapping").filter(account=account, state=RUNNING).first()


def check_may_probe(account: SupplierAccount, *, read_only: bool) -> None:
    """A full probe orders a code, so it runs at a sandbox account only; reading may be tried anywhere (R108)."""
    if account.environment != settings.ENVIRONMENT:
        raise Refused(
            f"{account} is a {account.environment} account and this is a {settings.ENVIRONMENT} installation. "
            "Nothing was started."
        )
    if not account.is_sandbox and not read_only:
        raise Refused(
            f"{account} is a live account, where a test order costs money. Nothing was started. "
            "Only the part that reads can run here."
        )
    if not account.has_key:
        raise Refused(f"{account} has no API key. Nothing was started. An administrator can set it.")


def start_probe(
    *, by: User | None, account: SupplierAccount, read_only: bool = False, patience: int = PATIENCE
) -> ProbeRun:
    """Begin a run; a worker takes its steps. Refused at a live account unless it only reads, and while one is running."""
    if by is not None:
        check_can(by, Permission.ACCOUNT_MANAGE)
    check_may_probe(account, read_only=read_only)
    steps = [step for step in STEPS if step.reads_only or not read_only]
    try:
        with transaction.atomic():
            run = ProbeRun.objects.create(account=account, read_only=read_only, patience=patience, started_by=by)
            rows = [ProbeStep(run=run, place=place, name=step.name) for place, step in enumerate(steps)]
            ProbeStep.objects.bulk_create(rows)
            record("probe.started", by=by, subject=run, what="the part that only reads" if read_only else "all steps")
            make_due(WORK_KIND, str(run.pk))
    except IntegrityError:
        raise Refused(f"A probe of {account} is running already. No second one was started.") from None
    return run


def stop_probe(*, by: User, run: ProbeRun) -> None:
    """End a run without a result; an order it placed stays an order like any other."""
    check_can(by, Permission.ACCOUNT_MANAGE)
    transition(run, STOPPED, by=by, machine=PROBE, ended_at=timezone.now())


def take_on(run: ProbeRun) -> datetime | None:
    """Take the steps of a run as far as they go now; when to come again (UTC), or None when it has ended.

    Only the holder of its due work does this, so no step is taken by two workers at once.
    """
    stop_at = timezone.now() + IN_ONE_GO
    for row in run.steps.filter(outcome=WAITING):
        if timezone.now() >= stop_at:
            return timezone.now()
        again = take_step(run, row)
        if again is not None:
            return again
    finish(run)
    return None


def take_step(run: ProbeRun, row: ProbeStep) -> datetime | None:
    """Do one step and note what came of it; when to ask again (UTC), while there is nothing to see and patience lasts."""
    step = BY_NAME[row.name]
    held = set(run.steps.filter(outcome=HELD).values_list("name", flat=True))
    lacking = next((name for name in step.needs if name not in held), "")
    if lacking:
        note(row, SKIPPED, f"needs “{lacking}”, which did not hold")
        return None
    if row.begun_at is None:
        row.begun_at = timezone.now()
        row.save(update_fields=["begun_at"])
    try:
        note(row, HELD, step.act(run))
    except NotOffered as reason:
        note(row, SKIPPED, str(reason))
    except (NotYet, Throttled) as wait:
        row.looks += 1
        row.save(update_fields=["looks"])
        if row.looks < run.patience:
            soon = timezone.now() + LOOK_AGAIN
            return max(wait.retry_at or soon, soon)
        note(row, BROKE, f"{str(wait).rstrip('.')}, after {row.looks} looks")
    except (StepFailed, DomainError) as failure:
        note(row, BROKE, str(failure))
    return None


def note(row: ProbeStep, outcome: str, seen: str) -> None:
    """What a step came to, once."""
    values = {"outcome": outcome, "seen": seen[:600], "ended_at": timezone.now()}
    ProbeStep.objects.filter(pk=row.pk, outcome=WAITING).update(**values)


def finish(run: ProbeRun) -> None:
    """File what the run says of each clause, and end it: failed if a step failed or a clause was contradicted."""
    now, evidence = timezone.now(), Evidence(run)
    results = []
    for place, clause in enumerate(clauses_of(run.account.dialect)):
        finding = clause.judge(evidence) if clause.judge else None
        results.append(
            ProbeResult(
                run=run,
                place=place,
                clause=clause.key,
                says=clause.says,
                source=clause.source,
                verdict=finding.verdict if finding else NOT_SEEN,
                seen=finding.seen if finding else "",
                found_at=now,
            )
        )
    contradicted = sum(result.verdict == CONTRADICTED for result in results)
    broken = run.steps.filter(outcome=BROKE).count()
    with transaction.atomic():
        ProbeResult.objects.bulk_create(results)
        facts = {"contradicted": contradicted, "broken": broken}
        ended = FAILED if contradicted or broken else PASSED
        transition(run, ended, by=None, machine=PROBE, ended_at=now, facts=facts)
