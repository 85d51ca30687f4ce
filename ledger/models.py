"""The tables. Sign rule, once for all: a debit is positive, a credit is negative.

Money we have (funds) and money we spent (cost) are therefore positive balances, where it came from (external) is
negative, and the whole ledger adds up to zero in every currency. Only Balance ever changes; the database refuses the
rest by the rules in `rules.py`.
"""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from ledger.chain import EPOCH, GENESIS, MICROSECOND


def new_id(at: datetime | None = None) -> uuid.UUID:
    """A UUID of version 7 (RFC 9562) that begins with the microsecond at which the entry is recorded.

    New rows therefore go to the end of an index of any size, and the order of ids is that of recording: a stretch of time
    is a range of ids.
    """
    return uuid.UUID(int=_lowest(at or timezone.now()) | secrets.randbits(62))


def first_id(at: datetime) -> uuid.UUID:
    """The lowest id an entry recorded at this instant can have."""
    return uuid.UUID(int=_lowest(at))


def time_of(entry_id: uuid.UUID) -> datetime:
    """The time with which an entry's id begins."""
    milliseconds, rest = entry_id.int >> 80, entry_id.int >> 64 & 0xFFF
    return EPOCH + (1000 * milliseconds + rest) * MICROSECOND


def _lowest(at: datetime) -> int:
    milliseconds, rest = divmod((at - EPOCH) // MICROSECOND, 1000)
    return milliseconds << 80 | 0x7 << 76 | rest << 64 | 0b10 << 62


class Layer(models.TextChoices):
    """What a line moves: money that has moved, money set aside for it, or nothing (a memo, for the record)."""

    SETTLED = "settled"
    HELD = "held"
    MEMO = "memo"


class Account(models.Model):
    """A pot of one currency; never changed. `owner`: whose pot it is; `role`: what for (funds, cost, external)."""

    code = models.CharField(max_length=100, unique=True)
    name = models.CharField(max_length=200)
    owner = models.CharField(max_length=100, blank=True)
    role = models.CharField(max_length=40)
    currency = models.CharField(max_length=3)
    opened_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            # The target of PostgreSQL's (account, currency) key: a line takes its account's currency.
            models.UniqueConstraint(fields=["id", "currency"], name="ledger_account_currency"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.code})"


class Balance(models.Model):
    """What the last line of an account left behind, in minor units; holds on funds are negative."""

    account = models.OneToOneField(Account, on_delete=models.PROTECT, primary_key=True)
    settled = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)
    floor = models.BigIntegerField(null=True)
    seq = models.BigIntegerField(default=0)
    # The hash of the last line: where the next one continues the chain.
    head = models.BinaryField(max_length=32, default=GENESIS)
    # The entry of the last line, and so the time before which no other one is recorded.
    last_id = models.UUIDField(null=True)

    class Meta:
        constraints = [
            # Two buyers can both see enough money; only one of them gets it.
            models.CheckConstraint(
                condition=Q(floor__isnull=True) | Q(floor__lte=F("settled") + F("held")), name="ledger_balance_floor"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.settled} settled, {self.held} held"

    @property
    def free(self) -> int:
        return self.settled + self.held


class RecordedOn(models.Func):
    """The UTC day of a time, as both engines can keep it in an index."""

    arity = 1
    output_field = models.DateField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="substr(%(expressions)s, 1, 10)", **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="(%(expressions)s AT TIME ZONE 'UTC')::date", **context)


# Entries of another day than the one on which they were recorded: few, so that they can be told apart at any length.
DATED_ELSEWHERE = ~Q(effective_on=RecordedOn("recorded_at"))


class Entry(models.Model):
    """The header of a balanced set of lines, written after them. `key` names its cause, so that a retry finds it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    key = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64)
    kind = models.CharField(max_length=60)
    effective_on = models.DateField()
    recorded_at = models.DateTimeField()
    reference_kind = models.CharField(max_length=40, blank=True)
    reference_id = models.CharField(max_length=100, blank=True)
    memo = models.TextField(blank=True)
    actor = models.CharField(max_length=150, blank=True)
    legs = models.PositiveSmallIntegerField()
    resolves = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="resolved_by", db_index=False
    )
    reverses = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="reversed_by", db_index=False
    )

    class Meta:
        indexes = [
            models.Index(fields=["reference_kind", "reference_id"], name="ledger_entry_reference"),
            models.Index(fields=["effective_on", "id"], condition=DATED_ELSEWHERE, name="ledger_entry_dated_elsewhere"),
        ]
        constraints = [
            # Not `unique`, to which Django adds an index for LIKE on PostgreSQL: a key is never looked for by its beginning.
            models.UniqueConstraint(fields=["key"], name="ledger_entry_key"),
            # Few entries end or reverse another one; the others cost these nothing.
            models.UniqueConstraint(
                fields=["resolves"], condition=Q(resolves__isnull=False), name="ledger_a_hold_ends_once"
            ),
            models.UniqueConstraint(
                fields=["reverses"], condition=Q(reverses__isnull=False), name="ledger_an_entry_is_reversed_once"
            ),
            models.CheckConstraint(condition=Q(legs__gte=1), name="ledger_entry_has_lines"),
            models.CheckConstraint(condition=~Q(key=""), name="ledger_entry_has_key"),
            models.CheckConstraint(
                condition=Q(resolves__isnull=True) | Q(reverses__isnull=True), name="ledger_entry_one_purpose"
            ),
        ]
        verbose_name_plural = "entries"

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class Line(models.Model):
    """One leg of an entry on one account: signed minor units (debit positive), and the balance it left behind."""

    pk = models.CompositePrimaryKey("entry_id", "leg")
    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, related_name="lines", db_index=False)
    leg = models.PositiveSmallIntegerField()
    legs = models.PositiveSmallIntegerField()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="lines", db_index=False)
    currency = models.CharField(max_length=3)
    layer = models.CharField(max_length=7, choices=Layer.choices)
    amount = models.BigIntegerField()
    seq = models.BigIntegerField()
    settled_after = models.BigIntegerField()
    held_after = models.BigIntegerField()
    hash = models.BinaryField(max_length=32)

    class Meta:
        constraints = [
            # The running balance has one order and no gap; pages are ranges of seq.
            models.UniqueConstraint(fields=["account", "seq"], name="ledger_line_account_seq"),
            models.CheckConstraint(condition=Q(leg__gte=1) & Q(leg__lte=F("legs")), name="ledger_line_leg"),
            models.CheckConstraint(
                condition=Q(layer__in=["settled", "held"]) & ~Q(amount=0) | Q(layer="memo") & Q(amount=0),
                name="ledger_line_amount",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} #{self.seq}: {self.amount} {self.currency} {self.layer}"

    @property
    def debit(self) -> int:
        return max(self.amount, 0)

    @property
    def credit(self) -> int:
        return max(-self.amount, 0)

    @property
    def free_after(self) -> int:
        return self.settled_after + self.held_after


class Checkpoint(models.Model):
    """One fingerprint of all accounts at a moment. Kept elsewhere too, it shows when the database was rebuilt or restored."""

    no = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    lines = models.BigIntegerField()
    previous = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(no__gte=1), name="ledger_checkpoint_number")]

    def __str__(self) -> str:
        return f"checkpoint {self.no}: {bytes(self.hash).hex()}"


class CheckpointHead(models.Model):
    """Where the chain of one account stood at a checkpoint; written for the accounts that moved since the checkpoint before."""

    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, related_name="heads", db_index=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+", db_index=False)
    seq = models.BigIntegerField()
    settled = models.BigIntegerField()
    held = models.BigIntegerField()
    head = models.BinaryField(max_length=32)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "checkpoint"], name="ledger_one_head_of_an_account"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} #{self.seq} at checkpoint {self.checkpoint_id}"


class Closing(models.Model):
    """An owner's books closed up to a day: nothing is booked for that day or an earlier one any more."""

    owner = models.CharField(max_length=100)
    through = models.DateField()
    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, related_name="+")
    closed_at = models.DateTimeField()
    closed_by = models.CharField(max_length=150)
    reviewed_by = models.CharField(max_length=150)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "through"], name="ledger_one_closing_of_a_day"),
            # A closed month is signed by two.
            models.CheckConstraint(condition=~Q(closed_by=F("reviewed_by")), name="ledger_closing_needs_two"),
        ]

    def __str__(self) -> str:
        return f"{self.owner} through {self.through}"
