"""Sealing every code anew, killed in the middle and finished, beside the bare work: the same bytes and the same rows."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import connection, connections, transaction

from procurement.demo.bench.filling import do_not_wait_for_the_disk, settle_down
from procurement.demo.bench.measuring import BenchFailed
from procurement.demo.bench.orders import DAYS, digest, order_of
from procurement.demo.bench.report import facts_line, table
from procurement.demo.bench.scratch import bench_settings, scratch_database
from procurement.demo.bench.shop import Shop, open_shop
from procurement.orders.models import Code, Delivery, Order
from procurement.vault import Purpose, keyring, open_sealed, seal
from procurement.vault.rotation import BATCH, rotate

AN_ORDER, CHUNK = 20, 2000
# Bytes of what is authenticated with a code, and seconds between two reads by somebody else.
AAD, PAUSE = 180, 0.02
Values = Mapping[Any, bytes]


class Spent(NamedTuple):
    """Seconds on the clock, and of this or the child's processor time: only the latter is ours on a machine that is shared."""

    clock: float
    processor: float

    def __sub__(self, before: Spent) -> Spent:
        return Spent(self.clock - before.clock, self.processor - before.processor)


@dataclass(frozen=True)
class Rotated:
    """What the run took that was killed, the one that finished it, and the bare work; what became of the codes."""

    codes: int
    killed_after: int
    killed: Spent
    finished: Spent
    crypto: Spent
    rows: Spent
    left: int
    twice: int
    lost: int
    reads: int
    failed_reads: int

    @property
    def both(self) -> Spent:
        return Spent(self.killed.clock + self.finished.clock, self.killed.processor + self.finished.processor)

    @property
    def bare(self) -> Spent:
        return Spent(self.crypto.clock + self.rows.clock, self.crypto.processor + self.rows.processor)

    @property
    def broken(self) -> list[str]:
        """What must never be, in sentences."""
        wrong = {"lost": self.lost, "sealed twice": self.twice, "not sealed anew": self.left}
        wrong["not readable meanwhile"] = self.failed_reads
        return [f"{count} codes were {what}." for what, count in wrong.items() if count]


def measure_rotation(codes: int) -> Rotated:
    """Seal `codes` codes anew, on a database that is dropped; BenchFailed if one was lost, sealed twice or not readable."""
    with bench_settings(settings.ROOT_URLCONF), scratch_database():
        found = rotated(codes)
    if found.broken:
        raise BenchFailed(" ".join(found.broken))
    return found


def rotated(codes: int) -> Rotated:
    """With kill -9 in the middle, and somebody who reads all the while."""
    texts = fill(codes)
    before = values()
    with somebody_reading(texts) as counts:
        first = killed_in_the_middle(codes)
        middle = values()
        began = now()
        rotate(Purpose.CODE, progress=lambda done, of: None, wait=None)
        finished = now() - began
    after = values()
    changed = [pk for pk in before if middle[pk] != before[pk]]
    return Rotated(
        codes=codes,
        killed_after=len(changed),
        killed=first,
        finished=finished,
        crypto=bare_crypto(after.values()),
        rows=min(bare_rows(in_one_statement), bare_rows(row_by_row)),
        left=sum(after[pk] == before[pk] for pk in before),
        twice=sum(after[pk] != middle[pk] for pk in changed),
        lost=sum(not (pk in after and opens(pk, text, after[pk])) for pk, text in texts.items()),
        reads=counts[0],
        failed_reads=counts[1],
    )


def now() -> Spent:
    used = os.times()
    return Spent(time.perf_counter(), used.user + used.system)


def now_of_children() -> Spent:
    """The processor time of a child counts when it has ended."""
    used = os.times()
    return Spent(time.perf_counter(), used.children_user + used.children_system)


def fill(codes: int) -> dict[Any, str]:
    """So many sealed codes of sixty days; their texts by primary key."""
    shop, texts = open_shop(AN_ORDER), dict[Any, str]()
    do_not_wait_for_the_disk()
    orders = codes // AN_ORDER
    for begin in range(0, orders, CHUNK // AN_ORDER):
        with transaction.atomic():
            texts |= write(shop, range(begin, min(begin + CHUNK // AN_ORDER, orders)), orders)
    settle_down()
    return texts


def write(shop: Shop, numbers: range, total: int) -> dict[Any, str]:
    rows, deliveries, codes, texts = list[Order](), list[Delivery](), list[Code](), dict[Any, str]()
    for number in numbers:
        at = shop.ends - timedelta(days=DAYS) / total * number
        order = order_of(shop, number, "codes_stored", at)
        delivery = Delivery(order=order, fetched_at=at, count=AN_ORDER, checksum="0" * 64)
        rows, deliveries = [*rows, order], [*deliveries, delivery]
        for position in range(AN_ORDER):
            text = f"B{number:08d}{position:03d}"
            code = Code(
                order=order, delivery=delivery, account=order.account, position=position, fingerprint=digest(text),
                last4=text[-4:], region=order.region, face_minor=order.face_minor, stored_at=at, available_at=at,
            )  # fmt: skip
            code.sealed = seal(text, purpose=Purpose.CODE, context=code.context())
            texts[code.pk] = text
            codes.append(code)
    Order.objects.bulk_create(rows)
    Delivery.objects.bulk_create(deliveries)
    Code.objects.bulk_create(codes)
    return texts


def values() -> dict[Any, bytes]:
    return {pk: bytes(sealed) for pk, sealed in Code.objects.values_list("pk", "sealed")}


def opens(pk: Any, text: str, sealed: bytes) -> bool:
    """Whether a code as it stands in the database opens to what was sealed."""
    code = Code.objects.only("account_id", "order_id", "stored_at").get(pk=pk)
    return open_sealed(sealed, purpose=Purpose.CODE, context=code.context()).expose() == text


def killed_in_the_middle(codes: int) -> Spent:
    """Begin in a process of its own and end that by kill -9 when half is done; what it took until then."""
    connections.close_all()  # none may be shared with a child
    forks = multiprocessing.get_context("fork")
    half = forks.Event()
    child = forks.Process(target=begin_rotation, args=(codes // 2, half.set), daemon=True)
    began = now_of_children()
    child.start()
    while not half.wait(0.05):
        if not child.is_alive():
            raise BenchFailed("The rotation ended before it was killed.")
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    return now_of_children() - began


def begin_rotation(half: int, reached: Callable[[], None]) -> None:
    rotate(Purpose.CODE, progress=lambda done, of: reached() if done >= half else None, wait=None)


@contextmanager
def somebody_reading(texts: Mapping[Any, str]) -> Iterator[Any]:
    """While this lasts, another process opens one code after the other; yields how many it read, and how many failed."""
    connections.close_all()
    forks = multiprocessing.get_context("fork")
    counts, stop = forks.Array("l", 2), forks.Event()
    child = forks.Process(target=read_on, args=(texts, counts, stop.wait), daemon=True)
    child.start()
    try:
        yield counts
    finally:
        stop.set()
        child.join()


def read_on(texts: Mapping[Any, str], counts: Any, stopped: Callable[[float], bool]) -> None:
    keyring.forget()
    keys = list(texts)
    while not stopped(PAUSE):
        pk = random.choice(keys)  # noqa: S311 - any will do
        try:
            right = opens(pk, texts[pk], bytes(Code.objects.values_list("sealed", flat=True).get(pk=pk)))
        except Exception:
            right = False
        counts[0] += 1
        counts[1] += not right


def bare_crypto(blobs: Any) -> Spent:
    """What it takes to open and seal as many values of the same length with the primitive alone."""
    cipher, aad, nonce = AESGCM(os.urandom(32)), os.urandom(AAD), os.urandom(12)
    sealed = [cipher.encrypt(nonce, blob[19:-16], aad) for blob in blobs]
    began = now()
    for blob in sealed:
        cipher.encrypt(os.urandom(12), cipher.decrypt(nonce, blob, aad), aad)
    return now() - began


def bare_rows(store: Callable[[Any, Sequence[tuple[Any, Any]]], object]) -> Spent:
    """What it takes to read all values and write as many others, a transaction at a time as a rotation does, and nothing else.

    Each is written back to front: SQLite compares, and does not write a page on which all stays the same.
    """
    began, last = now(), None
    with connection.cursor() as cursor:
        while True:
            after = "WHERE id > %s " if last else ""
            query = f"SELECT id, sealed FROM orders_code {after}ORDER BY id LIMIT {BATCH}"  # noqa: S608
            cursor.execute(query, [last] if last else [])
            rows = cursor.fetchall()
            if not rows:
                return now() - began
            last = rows[-1][0]
            with transaction.atomic():
                store(cursor, [(pk, sealed[::-1]) for pk, sealed in rows])


def row_by_row(cursor: Any, rows: Sequence[tuple[Any, Any]]) -> None:
    cursor.executemany("UPDATE orders_code SET sealed = %s WHERE id = %s", [(sealed, pk) for pk, sealed in rows])


def in_one_statement(cursor: Any, rows: Sequence[tuple[Any, Any]]) -> None:
    pairs = ", ".join(["(%s, %s)"] * len(rows))
    cursor.execute(
        f"UPDATE orders_code SET sealed = anew.sealed FROM (WITH anew (id, sealed) AS (VALUES {pairs}) "  # noqa: S608
        "SELECT * FROM anew) AS anew WHERE orders_code.id = anew.id",
        [part for row in rows for part in row],
    )


def as_markdown(found: Rotated) -> str:
    def row(words: str, spent: Spent, *, compare: bool = True) -> list[str]:
        times = [f"{part / bare:.1f}" if compare else "" for part, bare in zip(spent, found.bare, strict=True)]
        return [words, f"{spent.clock:.1f}", times[0], f"{spent.processor:.1f}", times[1]]

    rows = [
        row(f"until kill -9, with {found.killed_after:,} sealed anew", found.killed, compare=False),
        row("the run that finished it", found.finished, compare=False),
        row("both together", found.both),
        row("bare: AES-GCM open and seal of the same bytes", found.crypto),
        row("bare: read and write the same rows", found.rows),
    ]
    head = [f"{found.codes:,} codes", "seconds", "× bare", "processor seconds", "× bare"]
    what = (
        f"{BATCH:,} codes in a transaction; none lost, none sealed twice; "
        f"{found.reads:,} codes opened by another process meanwhile, all of them"
    )
    command = f"python3 dev.py bench rotation --requests {found.codes}"
    return "\n".join([facts_line(what, command), "", *table(head, rows, numbers_from=1)])
