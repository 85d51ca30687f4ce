"""`manage.py contract_probe CODE`: what a supplier account really does, against each clause of its contract (R106, R107).

The run is due work like one started from the page: this command only works the queue until it has ended, so a run whose
process died is taken up again, and two never run at once.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from procurement.errors import Refused
from procurement.onboarding.listening import listening
from procurement.onboarding.models import ProbeRun, ProbeStep
from procurement.onboarding.services import PATIENCE, WORK_KIND, running_probe, start_probe
from procurement.onboarding.states import CONTRADICTED, PASSED, WAITING
from procurement.suppliers.models import SupplierAccount
from procurement.work.models import DueWork
from procurement.work.runner import run_due

# A step that raises what nobody thought of is tried again by the queue; after so many tries it is a mistake of ours.
MOST_TRIES = 3


class Command(BaseCommand):
    help = "Try one supplier account against its contract; exit code 1 if a step failed or a clause was contradicted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("code", metavar="CODE", help="the supplier account's code")
        parser.add_argument("--read-only", action="store_true", help="buy nothing; the only part a live account allows")
        parser.add_argument(
            "--patience", type=int, default=PATIENCE, help="how often a step looks, a second apart, before it fails"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        account = SupplierAccount.objects.filter(code=options["code"]).first()
        if account is None:
            raise CommandError(f"There is no supplier account {options['code']!r}. Nothing was ordered.")
        with listening():
            failure = self.probe(account, read_only=options["read_only"], patience=options["patience"])
        if failure:
            raise CommandError(failure)

    def probe(self, account: SupplierAccount, *, read_only: bool, patience: int) -> str:
        """Run or take up again one probe, print it, and say why it failed; empty when it passed."""
        try:
            run = running_probe(account) or start_probe(
                by=None, account=account, read_only=read_only, patience=patience
            )
        except Refused as refusal:
            raise CommandError(refusal.sentence) from None
        self.stdout.write(
            f"{account} ({account.code}, {account.environment}), begun {run.started_at:%Y-%m-%d %H:%M:%S} UTC"
        )
        self.work(run)
        for result in run.results.all():
            self.stdout.write(f"  {result.status.label:<16} {result.says} {result.seen}".rstrip())
        wrong = [result.says for result in run.results.filter(verdict=CONTRADICTED)]
        if run.state == PASSED:
            self.stdout.write("Every step held.")
            return ""
        broken = [f"failed at {step}: {step.seen}" for step in run.steps.filter(outcome="failed")]
        return f"{account.code}: " + "; ".join([*broken, *(f"contradicted: {says}" for says in wrong)] or ["stopped"])

    def work(self, run: ProbeRun) -> None:
        """Work the queue until the run has ended, and print each step as it comes out."""
        told = 0
        while True:
            done = run_due(limit=10)
            run.refresh_from_db()
            steps = list(run.steps.all())
            ended = next((place for place, step in enumerate(steps) if step.outcome == WAITING), len(steps))
            for step in steps[told:ended]:
                self.tell(step)
            told = ended
            if not run.is_running:
                return
            due = DueWork.objects.filter(kind=WORK_KIND, ref=str(run.pk)).first()
            if due and due.tries >= MOST_TRIES and due.last_error:
                raise CommandError(f"{run}: {due.last_error}. The run waits and is tried again.")
            if not done:
                time.sleep(0.2)

    def tell(self, step: ProbeStep) -> None:
        words = {"held": "ok", "failed": "FAILED", "skipped": "-"}
        self.stdout.write(f"  {words[step.outcome]:<6}{step.name}: {step.seen}")
