"""An exported ledger read into an empty one, of either engine: all of it, with the same checkpoints, or nothing.

Every hash and balance is reckoned again and compared with the file's, and every rule of the database is on.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from django.db import DataError, IntegrityError, connection, transaction

from ledger.chain import GENESIS
from ledger.checkpoints import hash_of, last_checkpoint
from ledger.drafts import Leg
from ledger.errors import BadFile
from ledger.models import Account, Balance, Checkpoint, CheckpointHead, Closing, Entry, time_of
from ledger.money import Money
from ledger.records import Record, nothing, records, refused
from ledger.rows import Header, Pot, lines_of, read_pots, write_many
from ledger.sending import on_sqlite, run

# Entries. Each chunk moves the balances once: PostgreSQL reads a row the slower, the more often this transaction changed it.
CHUNK = 10_000
LOOK = "Run `verify_ledger` where it was exported; if that finds nothing, export again."
# Records of one kind, each behind the number of its line in the file.
Chunk = Sequence[tuple[int, str, Record]]


def load(lines: Iterable[str | bytes], progress: Callable[[int], None] = lambda entries: None) -> Record:
    """Read an exported ledger into this empty one, all of it or nothing, and say what was counted.

    `progress` hears the entries so far. Raises BadFile. Nobody else may write to this ledger meanwhile. Memory: a chunk, and
    the balance of every account.
    """
    pots: dict[str, Pot] = {}
    entries, end, checkpoints_begin = 0, nothing(), 0
    with transaction.atomic():
        if Account.objects.exists() or Entry.objects.exists() or Checkpoint.objects.exists():
            raise BadFile(
                "This ledger is not empty. Nothing was imported. Import into a new database, right after `migrate`."
            )
        for chunk in _chunks(records(lines)):
            number, kind, end = chunk[0]
            if kind == "entry":
                _store(chunk, pots)
                entries += len(chunk)
                progress(entries)
            elif kind != "end":
                _store(chunk, pots)
                checkpoints_begin = checkpoints_begin or (number if kind == "checkpoint" else 0)
        _check_heads(checkpoints_begin)
    return end


def _chunks(found: Iterable[tuple[int, str, Record]]) -> Iterator[Chunk]:
    """Records of one kind; those before a line that cannot be read come first, because the fault may be with them."""
    chunk: list[tuple[int, str, Record]] = []
    try:
        for record in found:
            if chunk and (record[1] != chunk[0][1] or len(chunk) == CHUNK):
                yield chunk
                chunk = []
            chunk.append(record)
    except BadFile as error:
        if chunk:
            yield chunk
        raise error
    yield chunk


def _store(chunk: Chunk, pots: dict[str, Pot]) -> None:
    """Write a chunk; if that is refused, record by record, so that the first one at fault is named."""
    number, kind, _ = chunk[0]
    try:
        with transaction.atomic():
            STORES[kind](chunk, pots)
    except (BadFile, IntegrityError, DataError) as error:
        for one in chunk if len(chunk) > 1 else ():
            _store([one], pots)
        if isinstance(error, BadFile):
            raise
        words = str(error).splitlines()[0]
        raise refused(number, f"the database does not take this {kind} ({words})") from None


def _open(chunk: Chunk, pots: dict[str, Pot]) -> None:
    accounts = [
        Account(
            code=record["account"], name=record["name"], owner=record["owner"], role=record["role"],
            currency=record["currency"], opened_at=record["opened_at"],
        )
        for _, _, record in chunk
    ]  # fmt: skip
    Account.objects.bulk_create(accounts)
    floors = zip(accounts, chunk, strict=True)
    Balance.objects.bulk_create([Balance(account=row, floor=record["floor"]) for row, (_, _, record) in floors])
    pots.update(read_pots([row.code for row in accounts]))


def _cover(chunk: Chunk, pots: dict[str, Pot]) -> None:
    """Checkpoints; where their heads should be is compared when the lines are there."""
    last = last_checkpoint()
    previous = bytes(last.hash) if last else GENESIS
    for number, _, record in chunk:
        made = Checkpoint(no=record["checkpoint"], at=record["at"], lines=record["lines"], previous=previous)
        heads = []
        for code, seq, settled, held, head in record["heads"]:
            account = Account(pk=_pot(number, code, pots).account_id, code=code)
            at = {"seq": seq, "settled": settled, "held": held, "head": head}
            heads.append(CheckpointHead(checkpoint=made, account=account, **at))
        made.hash = previous = hash_of(made.no, made.at, made.lines, previous, heads)
        if made.hash.hex() != record["hash"]:
            raise refused(number, f"checkpoint {made.no} has another hash than what it covers gives", LOOK)
        made.save(force_insert=True)
        CheckpointHead.objects.bulk_create(heads)


def _pot(number: int, code: str, pots: dict[str, Pot]) -> Pot:
    if code not in pots:
        raise refused(number, f"there is no account {code}")
    return pots[code]


def _book(chunk: Chunk, pots: dict[str, Pot]) -> None:
    named = {line[0]: number for number, _, record in reversed(chunk) for line in record["lines"]}
    moved = {code: replace(_pot(number, code, pots)) for code, number in named.items()}
    headers, rows = [], []
    for number, _, record in chunk:
        header, again = _reckoned(number, record, moved)
        headers.append(header)
        rows += again
    write_many(rows, moved.values(), headers)
    _check_links(chunk)
    pots.update(moved)


def _reckoned(number: int, record: Record, pots: dict[str, Pot]) -> tuple[Header, list[tuple[Any, ...]]]:
    """The rows of an entry, as they were where it was booked: each hash is the one in the file."""
    lines = record["lines"]
    try:
        header = Header(
            record["entry"], record["key"], record["fingerprint"], record["kind"], record["effective_on"],
            time_of(record["entry"]), record["reference_kind"], record["reference_id"], record["memo"], record["actor"],
            len(lines), record["resolves"], record["reverses"],
        )  # fmt: skip
        legs = [Leg(code, Money(amount, pots[code].currency), layer) for code, layer, amount, _ in lines]
        rows = lines_of(header, legs, pots)
    except (ValueError, OverflowError, struct.error) as error:
        raise refused(number, f"this entry cannot be reckoned ({error})") from None
    for row, (code, _, _, digest) in zip(rows, lines, strict=True):
        if row[-1].hex() != digest:
            changed = f"it, its entry or what came before it on {code} was changed"
            raise refused(number, f"the hash of line {row[1]} is another one: {changed}", LOOK)
        floor = pots[code].floor
        if floor is not None and pots[code].free < floor:
            raise refused(number, f"this entry takes {code} below its floor", LOOK)
    return header, rows


def _check_links(chunk: Chunk) -> None:
    """What an entry ends or reverses is there; SQLite would only say so, and of none by name, at the very end."""
    links = {link: number for number, _, record in chunk if (link := record["resolves"] or record["reverses"])}
    known = set(Entry.objects.filter(pk__in=links).values_list("pk", flat=True))
    for link in links.keys() - known:
        raise refused(links[link], f"the entry {link} that this one ends or reverses is not in the file")
    if not on_sqlite():
        # PostgreSQL keeps what it has yet to check in memory.
        connection.check_constraints()


def _close(chunk: Chunk, pots: dict[str, Pot]) -> None:
    """Last of all: closed books take no entry, not even one that was booked before."""
    known = set(Checkpoint.objects.values_list("no", flat=True))
    for number, _, record in chunk:
        if record["checkpoint"] not in known:
            raise refused(number, f"there is no checkpoint {record['checkpoint']}")
        Closing.objects.create(
            owner=record["closing"], through=record["through"], checkpoint_id=record["checkpoint"],
            closed_at=record["closed_at"], closed_by=record["closed_by"], reviewed_by=record["reviewed_by"],
        )  # fmt: skip


_NOT_REACHED = (
    "SELECT h.checkpoint_id, a.code, h.seq FROM ledger_checkpointhead h JOIN ledger_account a ON a.id = h.account_id"
    " LEFT JOIN ledger_line l ON l.account_id = h.account_id AND l.seq = h.seq"
    " WHERE l.seq IS NULL OR l.hash <> h.head OR l.settled_after <> h.settled OR l.held_after <> h.held"
    " ORDER BY h.checkpoint_id, a.code LIMIT 1"
)


def _check_heads(begin: int) -> None:
    """Every chain came by where each checkpoint saw it; the first of them stands on line `begin` of the file."""
    for no, code, seq in run([(_NOT_REACHED, ())])[0]:
        raise refused(begin + no - 1, f"checkpoint {no} covers another line {seq} of {code} than the file has", LOOK)


STORES: dict[str, Callable[[Chunk, dict[str, Pot]], None]] = {
    "account": _open, "checkpoint": _cover, "entry": _book, "closing": _close,
}  # fmt: skip
