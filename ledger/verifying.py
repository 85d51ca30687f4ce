"""Reading the whole ledger again and saying what does not hold: an edit, a deletion, a reorder, a cut tail, a restore."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, F, Q, Sum

from ledger.chain import GENESIS, header_bytes, link
from ledger.checkpoints import hash_of
from ledger.models import Balance, Checkpoint, CheckpointHead, Entry, Layer, Line, time_of

CHUNK = 5_000
HEADER = (
    "entry_id", "entry__key", "entry__fingerprint", "entry__kind", "entry__effective_on", "entry__recorded_at",
    "entry__reference_kind", "entry__reference_id", "entry__memo", "entry__actor", "entry__legs", "entry__resolves_id",
    "entry__reverses_id",
)  # fmt: skip
LINE = ("seq", "leg", "legs", "currency", "layer", "amount", "settled_after", "held_after", "hash")


@dataclass(frozen=True)
class Finding:
    """One thing that does not hold; `seq` is the first line of the account concerned, 0 where no line is meant."""

    where: str
    seq: int
    what: str

    def __str__(self) -> str:
        return f"{self.where} line {self.seq}: {self.what}" if self.seq else f"{self.where}: {self.what}"


@dataclass
class Report:
    """What was read, and everything that did not hold."""

    lines: int = 0
    checkpoints: int = 0
    findings: list[Finding] = field(default_factory=list)

    def note(self, where: str, seq: int, what: str) -> None:
        self.findings.append(Finding(where, seq, what))


def verify(*, since_checkpoint: int = 0, published: Mapping[int, str] | None = None) -> Report:
    """Read the ledger and report what does not hold; nothing is changed.

    `since_checkpoint` reads only what came after that checkpoint, trusting it. `published` maps checkpoint numbers to the hex hashes kept
    elsewhere: only with them does a database that was rebuilt or restored as a whole show.
    """
    report = Report()
    heads: dict[int, list[CheckpointHead]] = defaultdict(list)
    for head in CheckpointHead.objects.select_related("account").order_by("checkpoint_id"):
        heads[head.account_id].append(head)
    for balance in Balance.objects.select_related("account").order_by("account__code"):
        _check_account(report, balance, heads[balance.pk], since_checkpoint)
    if not since_checkpoint:
        _check_entries(report)
    _check_checkpoints(report, published or {})
    return report


def _check_account(report: Report, balance: Balance, heads: list[CheckpointHead], since_checkpoint: int) -> None:
    """One account's chain from its beginning, or from a checkpoint, to its balance. The first break is named, and no later one."""
    code = balance.account.code
    trusted = next((head for head in reversed(heads) if head.checkpoint_id <= since_checkpoint), None)
    seq, settled, held = (trusted.seq, trusted.settled, trusted.held) if trusted else (0, 0, 0)
    previous = bytes(trusted.head) if trusted else GENESIS
    covered = {head.seq: head for head in heads}
    for row in _lines(balance.pk, seq):
        header, line = row[: len(HEADER)], dict(zip(LINE, row[len(HEADER) :], strict=True))
        report.lines += 1
        seq += 1
        settled += line["amount"] if line["layer"] == Layer.SETTLED else 0
        held += line["amount"] if line["layer"] == Layer.HELD else 0
        if what := _broken(seq, settled, held, line, header):
            report.note(code, seq, what)
            return
        previous = link(
            previous, header_bytes(*header), line["leg"], code, line["currency"], line["layer"], line["amount"],
            seq, settled, held,
        )  # fmt: skip
        if previous != bytes(line["hash"]):
            report.note(code, seq, "the line or its entry was changed after it was booked")
            return
        if seq in covered and bytes(covered[seq].head) != previous:
            report.note(
                code,
                seq,
                f"differs from what checkpoint {covered[seq].checkpoint_id} covers: the history was rewritten",
            )
            return
    if heads and heads[-1].seq > seq:
        report.note(
            code, seq + 1, f"missing, although checkpoint {heads[-1].checkpoint_id} covers it: the end was cut off"
        )
    elif (balance.seq, balance.settled, balance.held, bytes(balance.head)) != (seq, settled, held, previous):
        report.note(code, seq, "the stored balance is not what this last line left behind")


def _broken(seq: int, settled: int, held: int, line: dict[str, Any], header: tuple[Any, ...]) -> str:
    if line["seq"] != seq:
        return "missing: a line was removed or lines were reordered"
    if (line["settled_after"], line["held_after"]) != (settled, held):
        return "the balance it left behind is not the one before it and its amount"
    if line["legs"] != header[10]:
        return "the line and its entry state another number of lines"
    if time_of(header[0]) != header[5]:
        return "the entry's id does not begin with the time at which it was recorded"
    return ""


def _lines(account_id: int, after: int) -> Iterator[tuple[Any, ...]]:
    rows = Line.objects.filter(account_id=account_id, seq__gt=after).order_by("seq")
    return rows.values_list(*HEADER, *LINE).iterator(CHUNK)


def _check_entries(report: Report) -> None:
    """Every entry has the lines it states, and they add up to zero in each currency and layer."""
    counted = Entry.objects.annotate(found=Count("lines")).exclude(found=F("legs"))
    for key in counted.values_list("key", flat=True)[:100]:
        report.note(key, 0, "the entry does not have the lines it states")
    sums = Line.objects.values("entry__key", "currency", "layer").annotate(total=Sum("amount"))
    for key in sums.filter(~Q(total=0)).values_list("entry__key", flat=True)[:100]:
        report.note(key, 0, "debits and credits differ")


def _check_checkpoints(report: Report, published: Mapping[int, str]) -> None:
    """Each checkpoint follows the one before it and covers its heads; those kept elsewhere are the same here."""
    previous = GENESIS
    for number, checkpoint in enumerate(Checkpoint.objects.prefetch_related("heads__account").order_by("no"), start=1):
        report.checkpoints = number
        again = hash_of(checkpoint.no, checkpoint.at, checkpoint.lines, previous, checkpoint.heads.all())
        if checkpoint.no != number or bytes(checkpoint.previous) != previous or bytes(checkpoint.hash) != again:
            report.note(f"checkpoint {number}", 0, "was changed or removed, or does not follow the one before it")
            break
        previous = again
    known = {
        checkpoint.no: bytes(checkpoint.hash).hex() for checkpoint in Checkpoint.objects.filter(no__in=list(published))
    }
    for no, digest in published.items():
        if known.get(no) != digest.lower():
            what = "differs from the one published" if no in known else "was published and is not here"
            report.note(f"checkpoint {no}", 0, f"{what}: the database was rebuilt or restored from before it")
