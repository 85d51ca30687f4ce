"""What both dialects share: asking our own limits first, making the call, recording it, and reading the verdict."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import httpx
from django.conf import settings
from django.utils import timezone
from pydantic import BaseModel, ValidationError

from procurement.suppliers import budget, shared_clock
from procurement.suppliers.budget import Ticket
from procurement.suppliers.clients import http, problems, recording, verdicts
from procurement.suppliers.clients.http import Call, Reply
from procurement.suppliers.clients.types import (
    NO_SUBJECT,
    ClaimReceipt,
    ClaimVerdict,
    NotPlaced,
    Placed,
    Subject,
    Verdict,
)
from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.states import LIVE
from procurement.vault import Purpose, Secret, open_sealed

Model = TypeVar("Model", bound=BaseModel)
LOOK_AGAIN = timedelta(minutes=1)


def misfit(error: ValidationError, purpose: str) -> problems.Misfit:
    """The first field that did not fit, by name, without its value."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "the whole answer"
    return problems.Misfit(
        f"{purpose} as the supplier sent it does not fit: {field}: {first['msg']}. Nothing was stored. "
        "Check the settings of the account."
    )


class BaseClient:
    """One account's line to its supplier. `key` replaces the stored key while a new one is tried out."""

    keyed_orders = False

    def __init__(
        self, account: SupplierAccount, transport: httpx.BaseTransport | None = None, key: Secret | None = None
    ) -> None:
        self.account = account
        self._transport = transport
        self._key = key

    def path(self, name: str, default: str) -> str:
        """An address below the base address; `settings["paths"][name]` replaces what the contract only assumes."""
        return str(self.account.settings.get("paths", {}).get(name, default))

    def _check_environment(self) -> None:
        """A sandbox installation calls sandbox accounts only, and a live one live accounts only (R108)."""
        if self.account.environment != settings.ENVIRONMENT:
            raise problems.WrongEnvironment(
                f"{self.account} is a {self.account.environment} account, the installation is {settings.ENVIRONMENT}. "
                "Nothing was sent."
            )

    def _sealed_key(self) -> bytes:
        """The stored key to use now, by the clock that all hosts share."""
        now = shared_clock.now() if self.account.next_key_from else timezone.now()
        return self.account.sealed_key(now)

    def _open_key(self, sealed: bytes) -> Secret:
        if self._key is not None:
            return self._key
        if not self.account.has_key:
            raise problems.KeyRefused(
                f"{self.account} has no API key yet. Nothing was sent. An administrator can set it."
            )
        return open_sealed(sealed, purpose=Purpose.SUPPLIER_API, context=self.account.context("api_key"))

    def _was_replaced(self, sealed: bytes) -> bool:
        """Whether another key took over while a call was under way: its answer says nothing of the account then."""
        self.account.refresh_from_db()
        return self._sealed_key() != sealed

    def _take(self, use: str) -> Ticket | datetime:
        """The places for one call, or when to come again. Reads what other workers learned, not what this object remembers."""
        blocked = SupplierAccount.objects.filter(pk=self.account.pk).values_list("blocked_until", flat=True).get()
        ticket = blocked if blocked and blocked > shared_clock.now() else budget.take(self.account, use)
        return shared_clock.here(ticket) if isinstance(ticket, datetime) else ticket

    def _send(
        self, call: Call, subject: Subject, ticket: Ticket, outcome: Callable[[Reply], str]
    ) -> tuple[Reply, datetime | None]:
        """Make the call, record it and take to heart what it says; also the time to wait until, if it asked for one."""
        answered = False
        try:
            reply, wait_until = self._exchange(call, subject, outcome)
            answered = reply.status is not None
        finally:
            budget.ended(ticket, answered=answered)
        return reply, wait_until

    def _exchange(self, call: Call, subject: Subject, outcome: Callable[[Reply], str]) -> tuple[Reply, datetime | None]:
        http.refuse_inside_transaction()
        sealed, request_id = self._sealed_key(), uuid.uuid4()
        key = self._open_key(sealed)
        row = recording.begin(self.account, call, request_id, subject, key)
        began = time.monotonic()
        reply = http.send(self.account, call, key=key, request_id=request_id, transport=self._transport)
        recording.finish(row, call, reply, outcome=outcome(reply), duration_ms=http.elapsed_ms(began), key=key)
        wait_until = recording.note_limits(self.account, reply)
        if self._key is None and not (reply.status in {401, 403} and self._was_replaced(sealed)):
            recording.note_health(self.account, reply)
        return reply, wait_until

    def _get(self, call: Call, subject: Subject = NO_SUBJECT, use: str = budget.CATALOGUE) -> Reply:
        """A reading: its 2xx JSON answer, or the problem raised as a SupplierProblem."""
        http.refuse_inside_transaction()
        self._check_environment()
        ticket = self._take(use)
        if isinstance(ticket, datetime):
            raise problems.Throttled(
                f"No call to {self.account} is free before {ticket:%H:%M:%S} UTC. Nothing was sent.", retry_at=ticket
            )
        reply, wait_until = self._send(call, subject, ticket, verdicts.reading_word)
        problem = verdicts.reading_problem(reply, wait_until, str(self.account))
        if problem:
            raise problem
        return reply

    def _parse(self, model: type[Model], data: Any, purpose: str) -> Model:
        try:
            return model.model_validate(data)
        except ValidationError as error:
            raise misfit(error, purpose) from None

    def check_same_order(self, said: str, asked: str) -> None:
        """An answer about another order must never be taken for this one's."""
        if said != asked:
            raise problems.Misfit(
                f"{self.account} answered about order {said} when asked about {asked}. Nothing was changed."
            )

    def _ticket_for_order(self, subject: Subject) -> Ticket | NotPlaced:
        """The places for a paid order, or why it may not be sent now, before anything is."""
        state = SupplierAccount.objects.filter(pk=self.account.pk).values_list("state", flat=True).get()
        if state != LIVE:
            sentence = f"{self.account} is not in use for orders now. Nothing was sent; the order waits."
            return NotPlaced("account_not_live", sentence, False, timezone.now() + LOOK_AGAIN)
        if not self.account.has_key and self._key is None:
            sentence = f"{self.account} has no API key. Nothing was sent; an administrator can set it."
            return NotPlaced("no_key", sentence, False, timezone.now() + LOOK_AGAIN)
        if recording.too_many_repeats(self.account, "orders.place", subject):
            sentence = "Too many calls of the last minutes were repetitions. Nothing was sent; it is tried again soon."
            return NotPlaced("waiting_for_limit", sentence, False, timezone.now() + LOOK_AGAIN)
        ticket = self._take(budget.PLACING)
        if isinstance(ticket, datetime):
            sentence = f"No order may be sent before {ticket:%H:%M:%S} UTC. Nothing was sent; the order waits its turn."
            return NotPlaced("waiting_for_limit", sentence, False, ticket)
        return ticket

    def _place(self, call: Call, subject: Subject, placed: Callable[[Reply], Placed | None]) -> Verdict:
        """Send a paid order at most once and say what is known of it (docs/decisions/0005)."""
        http.refuse_inside_transaction()
        self._check_environment()
        ticket = self._ticket_for_order(subject)
        if isinstance(ticket, NotPlaced):
            return ticket

        def verdict(reply: Reply, wait_until: datetime | None = None) -> Verdict:
            return verdicts.of_order(reply, placed=placed, wait_until=wait_until, keyed=self.keyed_orders)

        reply, wait_until = self._send(call, subject, ticket, lambda reply: verdicts.word(verdict(reply)))
        return verdict(reply, wait_until)

    def _claim(self, call: Call, subject: Subject, receipt: Callable[[Reply], ClaimReceipt | None]) -> ClaimVerdict:
        """Send a claim at most once and say what is known of it."""
        http.refuse_inside_transaction()
        self._check_environment()
        ticket = self._take(budget.CLAIMS)
        if isinstance(ticket, datetime):
            return verdicts.claim_must_wait(ticket)

        def verdict(reply: Reply, wait_until: datetime | None = None) -> ClaimVerdict:
            return verdicts.of_claim(reply, receipt=receipt, wait_until=wait_until)

        reply, wait_until = self._send(call, subject, ticket, lambda reply: verdicts.word(verdict(reply)))
        return verdict(reply, wait_until)
