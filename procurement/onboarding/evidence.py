"""What a run left behind: calls, the order, its events. Clauses of the contract are judged on this alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from ledger.money import parse_amount
from procurement.onboarding.models import ProbeRun, ProbeStep
from procurement.onboarding.steps import order_of, refused_events, subject_of
from procurement.orders.models import Attempt, Code, Order
from procurement.suppliers.clients.fields import renamed
from procurement.suppliers.models import BalanceSnapshot, Exchange, WebhookEvent
from procurement.suppliers.states import NOT_PROVEN

MOST_CALLS = 500


class Evidence:
    """One run, looked at after its last step."""

    def __init__(self, run: ProbeRun) -> None:
        self.run, self.account = run, run.account

    @cached_property
    def calls(self) -> list[Exchange]:
        """Every answered or failed call to the account while the run went, oldest first."""
        rows = Exchange.objects.filter(account=self.account, started_at__gte=self.run.started_at)
        rows = rows.filter(started_at__lte=self.run.ended_at or timezone.now()).exclude(outcome="under way")
        return list(rows.order_by("started_at", "pk")[:MOST_CALLS])

    def of(self, purpose: str) -> list[Exchange]:
        """The calls of one purpose, but for the one that was made to be refused."""
        made_up = self.call_of("unknown order")
        return [call for call in self.calls if call.purpose == purpose and call != made_up]

    def answered(self, purpose: str) -> Exchange | None:
        """The last call of this purpose that the supplier answered readably with 2xx."""
        good = [call for call in self.of(purpose) if call.status and call.status < 300 and not call.error_class]
        return good[-1] if good else None

    def call_of(self, step: str) -> Exchange | None:
        """The call a step made under its own name."""
        kind, ref = subject_of(self.run, step)
        found = [call for call in self.calls if (call.subject_kind, call.subject_id) == (kind, ref)]
        return found[-1] if found else None

    @cached_property
    def placing(self) -> Exchange | None:
        """The call that bought the code: the first of the attempt that the supplier took."""
        ref = str(self.attempt.pk) if self.attempt else ""
        found = [call for call in self.of("orders.place") if call.subject_id == ref]
        return next((call for call in found if call.status and call.status < 300), found[-1] if found else None)

    def body(self, call: Exchange | None) -> Mapping[str, Any]:
        """The answer in our names of its fields; empty when there is none, it is no object, or it was too long to keep."""
        try:
            data = json.loads(call.response_body) if call else {}
        except ValueError:
            return {}
        data = renamed(data, self.account.settings.get("fields", {}))
        return data if isinstance(data, dict) else {}

    @cached_property
    def steps(self) -> dict[str, ProbeStep]:
        return {step.name: step for step in self.run.steps.all()}

    def held(self, step: str) -> bool:
        return step in self.steps and self.steps[step].held

    def seen(self, step: str) -> str:
        return self.steps[step].seen if step in self.steps else ""

    @cached_property
    def order(self) -> Order | None:
        return order_of(self.run)

    @cached_property
    def attempt(self) -> Attempt | None:
        return Attempt.objects.filter(order=self.order).first() if self.order else None

    @cached_property
    def code(self) -> Code | None:
        return self.order.codes.first() if self.order else None

    @cached_property
    def events(self) -> list[WebhookEvent]:
        """Proven messages about the order, oldest first."""
        if self.order is None or not self.order.remote_id:
            return []
        rows = WebhookEvent.objects.filter(account=self.account, remote_order_id=self.order.remote_id)
        return list(rows.exclude(result__in=NOT_PROVEN).defer("body_sealed").order_by("received_at"))

    def refused(self, result: str) -> list[WebhookEvent]:
        return list(refused_events(self.run).filter(result=result).defer("body_sealed"))

    def balance(self, *, before: bool) -> BalanceSnapshot | None:
        """The reading next before, or next after, the order was sent and answered."""
        if self.attempt is None or self.attempt.sent_at is None or self.attempt.answered_at is None:
            return None
        rows: QuerySet[BalanceSnapshot] = self.account.snapshots.filter(currency=self.account.settlement_currency)
        if before:
            return rows.filter(taken_at__lte=self.attempt.sent_at).order_by("-taken_at", "-pk").first()
        return rows.filter(taken_at__gte=self.attempt.answered_at).order_by("taken_at", "pk").first()

    def other_movements(self, before: BalanceSnapshot, after: BalanceSnapshot) -> bool:
        """Whether other orders of the account were answered between two readings, which the balance shows as well."""
        others = Attempt.objects.filter(account=self.account).exclude(order=self.order)
        return others.filter(answered_at__range=(before.taken_at, after.taken_at)).exists()

    @cached_property
    def charged(self) -> int | None:
        """What the supplier says the order costs, in minor units, also where that was more than agreed."""
        text = self.body(self.placing).get("total_cost", self.body(self.placing).get("total"))
        try:
            return parse_amount(str(text), self.account.settlement_currency) if text is not None else None
        except ValueError:
            return None

    def error_code(self, call: Exchange) -> str:
        error = self.body(call).get("error")
        return str(error.get("code", "")) if isinstance(error, dict) else ""

    def has_error(self, call: Exchange) -> bool:
        error = self.body(call).get("error")
        return isinstance(error, dict) and bool(error.get("code")) and bool(error.get("message"))
