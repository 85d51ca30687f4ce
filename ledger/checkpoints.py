"""Checkpoints: one hash over the state of every account. Kept in another place, it cannot be rewritten by whoever owns
the database: from then on every change to what it covers shows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from ledger.chain import GENESIS, VERSION, moment, number, text
from ledger.models import Balance, Checkpoint, CheckpointHead


def checkpoint() -> Checkpoint | None:
    """Cover what was booked since the last checkpoint; that one again if nothing was, None if nothing ever was.

    No lock and no waiting: one SELECT sees a committed beginning of every account's chain.
    """
    last = last_checkpoint()
    moved = _moved()
    if not moved:
        return last
    no, previous, lines = (last.no + 1, bytes(last.hash), last.lines) if last else (1, GENESIS, 0)
    lines += sum(row.seq - covered for row, covered in moved)
    made = Checkpoint(no=no, at=timezone.now(), lines=lines, previous=previous)
    heads = [
        CheckpointHead(
            checkpoint=made, account=row.account, seq=row.seq, settled=row.settled, held=row.held, head=bytes(row.head)
        )
        for row, _ in moved
    ]
    made.hash = hash_of(made.no, made.at, made.lines, previous, heads)
    try:
        with transaction.atomic():
            made.save(force_insert=True)
            CheckpointHead.objects.bulk_create(heads)
    except IntegrityError:
        # A twin was faster.
        return last_checkpoint()
    return made


def last_checkpoint() -> Checkpoint | None:
    return Checkpoint.objects.order_by("-no").first()


def hash_of(no: int, at: datetime, lines: int, previous: bytes, heads: Iterable[CheckpointHead]) -> bytes:
    """The checkpoint's own hash: over the checkpoint before it and the head of every account that moved since."""
    facts = [VERSION, previous, number(no), moment(at), number(lines)]
    for head in sorted(heads, key=lambda head: head.account.code):
        facts += [text(head.account.code), number(head.seq), number(head.settled), number(head.held), bytes(head.head)]
    return hashlib.sha256(b"".join(facts)).digest()


def _moved() -> list[tuple[Balance, int]]:
    """Balances with lines that no checkpoint covers, each with the last line that one does."""
    newest = CheckpointHead.objects.filter(account=OuterRef("account")).order_by("-checkpoint_id").values("seq")[:1]
    rows = Balance.objects.select_related("account").annotate(covered=Coalesce(Subquery(newest), 0))
    return [(row, row.covered) for row in rows.filter(seq__gt=F("covered")).order_by("account__code")]
