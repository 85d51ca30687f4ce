"""Reading the whole ledger again and saying what does not hold: an edit, a deletion, a reorder, a cut tail, a restore."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from ledger.chain import GENESIS, header_bytes, link
from ledger.checkpoints import hash_of
from ledger.models import Balance, Checkpoint, CheckpointHead, Layer, time_of
from ledger.rows import Header
from ledger.sending import id_read, id_value, run, time_read

CHUNK = 2_000
HEADER = len(Header._fields)
# Entries with their lines as they were recorded: one way through both tables, and each header is read once.
_ENTRIES = (
    "SELECT e.id, e.key, e.fingerprint, e.kind, e.effective_on, e.recorded_at, e.reference_kind, e.reference_id, e.memo,"
    " e.actor, e.legs, e.resolves_id, e.reverses_id, l.account_id, l.leg, l.legs, l.currency, l.layer, l.amount, l.seq,"
    " l.settled_after, l.held_after, l.hash FROM (SELECT * FROM ledger_entry WHERE id > %s ORDER BY id LIMIT %s) e"
    " LEFT JOIN ledger_line l ON l.entry_id = e.id ORDER BY e.id, l.leg"
)
_BEGIN = (
    "SELECT l.entry_id FROM ledger_balance b JOIN ledger_line l ON l.account_id = b.account_id AND l.seq = 1 + COALESCE("
    "(SELECT h.seq FROM ledger_checkpointhead h WHERE h.account_id = b.account_id AND h.checkpoint_id <= %s"
    " ORDER BY h.checkpoint_id DESC LIMIT 1), 0) ORDER BY l.entry_id LIMIT 1"
)
_BEYOND = (
    "SELECT a.code, l.seq FROM ledger_balance b JOIN ledger_account a ON a.id = b.account_id"
    " JOIN ledger_line l ON l.account_id = b.account_id AND l.seq = b.seq + 1"
)


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


@dataclass(slots=True)
class Chain:
    """How far the lines of one account were read, and the balance and checkpoints they must lead to."""

    code: str
    seq: int
    settled: int
    held: int
    head: bytes
    # What the stored balance said when the reading began: (seq, settled, held, head).
    end: tuple[int, int, int, bytes]
    # The hash after a line, and the checkpoint that covers it.
    covered: dict[int, tuple[int, bytes]]
    broken: bool = False


def verify(*, since_checkpoint: int = 0, published: Mapping[int, str] | None = None) -> Report:
    """Read the ledger and report what does not hold; nothing is changed.

    What is booked meanwhile is left for the next time. `since_checkpoint` reads only what came after that checkpoint,
    trusting it. `published` maps checkpoint numbers to the hex hashes kept elsewhere: only with them does a database that
    was rebuilt or restored as a whole show.
    """
    report = Report()
    chains = _chains(since_checkpoint)
    for header, rows in _entries(since_checkpoint):
        _check_entry(report, chains, header, rows)
    for chain in sorted(chains.values(), key=lambda chain: chain.code):
        _check_end(report, chain)
    for code, seq in run([(_BEYOND, ())])[0]:
        report.note(code, seq, "follows the last line that the stored balance knows")
    _check_checkpoints(report, published or {})
    return report


def _chains(since_checkpoint: int) -> dict[int, Chain]:
    """Every account at its beginning, or where a trusted checkpoint left it."""
    chains = {}
    for balance in Balance.objects.select_related("account"):
        end = (balance.seq, balance.settled, balance.held, bytes(balance.head))
        chains[balance.pk] = Chain(balance.account.code, 0, 0, 0, GENESIS, end, {})
    for head in CheckpointHead.objects.order_by("checkpoint_id"):
        chain = chains[head.account_id]
        if head.checkpoint_id <= since_checkpoint:
            chain.seq, chain.settled, chain.held, chain.head = head.seq, head.settled, head.held, bytes(head.head)
        chain.covered[head.seq] = (head.checkpoint_id, bytes(head.head))
    return chains


def _entries(since_checkpoint: int) -> Iterator[tuple[Header, Sequence[Sequence[Any]]]]:
    """Each entry with its lines, oldest first."""
    after = _before_first(since_checkpoint)
    while after and (rows := run([(_ENTRIES, [id_value(after), CHUNK])])[0]):
        for _, together in groupby(rows, key=itemgetter(0)):
            lines = list(together)
            yield _header(lines[0]), [row[HEADER:] for row in lines if row[HEADER] is not None]
        after = id_read(rows[-1][0])


def _before_first(since_checkpoint: int) -> uuid.UUID | None:
    """The id after which everything is to be read; None if no line came since the checkpoint."""
    if not since_checkpoint:
        return uuid.UUID(int=0)
    (found,) = run([(_BEGIN, [since_checkpoint])])
    return uuid.UUID(int=id_read(found[0][0]).int - 1) if found else None


def _header(row: Sequence[Any]) -> Header:
    values = list(row[:HEADER])
    values[0], values[5] = id_read(row[0]), time_read(row[5])
    values[11:] = (link and id_read(link) for link in row[11:13])
    return Header._make(values)


def _check_entry(report: Report, chains: dict[int, Chain], header: Header, rows: Sequence[Sequence[Any]]) -> None:
    """Its lines continue their chains, are as many as it states and add up to zero in each currency and layer."""
    covered, sums, of_later = header_bytes(*header), dict[tuple[str, str], int](), False
    for row in rows:
        account_id, _, _, currency, layer, amount, seq = row[:7]
        sums[currency, layer] = sums.get((currency, layer), 0) + amount
        chain = chains.get(account_id)
        if chain is None or seq > chain.end[0]:
            of_later = True
        elif seq > chain.seq and not chain.broken:
            report.lines += 1
            if what := _follow(chain, header, covered, *row[1:]):
                report.note(chain.code, chain.seq, what)
                chain.broken = True
    if of_later:
        return
    if len(rows) != header.legs:
        report.note(header.key, 0, "the entry does not have the lines it states")
    if any(sums.values()):
        report.note(header.key, 0, "debits and credits differ")


def _follow(
    chain: Chain, header: Header, covered: bytes, leg: int, legs: int, currency: str, layer: str, amount: int, seq: int,
    settled: int, held: int, digest: bytes,
) -> str:  # fmt: skip
    """Move the chain on by a line; what does not hold about it, if anything."""
    chain.seq += 1
    chain.settled += amount if layer == Layer.SETTLED else 0
    chain.held += amount if layer == Layer.HELD else 0
    chain.head = link(
        chain.head, covered, leg, chain.code, currency, layer, amount, chain.seq, chain.settled, chain.held
    )
    if seq != chain.seq:
        return "missing: a line was removed or lines were reordered"
    if (settled, held) != (chain.settled, chain.held):
        return "the balance it left behind is not the one before it and its amount"
    if legs != header.legs:
        return "the line and its entry state another number of lines"
    if time_of(header.id) != header.recorded_at:
        return "the entry's id does not begin with the time at which it was recorded"
    if chain.head != digest:
        return "the line or its entry was changed after it was booked"
    checkpoint_id, known = chain.covered.get(seq, (0, digest))
    if known != digest:
        return f"differs from what checkpoint {checkpoint_id} covers: the history was rewritten"
    return ""


def _check_end(report: Report, chain: Chain) -> None:
    last = max(chain.covered, default=0)
    if chain.broken:
        return
    if last > chain.seq:
        checkpoint_id, _ = chain.covered[last]
        report.note(
            chain.code, chain.seq + 1, f"missing, although checkpoint {checkpoint_id} covers it: the end was cut off"
        )
    elif chain.end != (chain.seq, chain.settled, chain.held, chain.head):
        report.note(chain.code, chain.seq, "the stored balance is not what this last line left behind")


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
