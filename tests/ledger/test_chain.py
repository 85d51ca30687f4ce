"""Whoever gets past the database's guards is still found: every change shows, by account and line."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection

from ledger import chain, guards, verifying
from ledger.checkpoints import checkpoint
from ledger.closing import close_books, closed_through
from ledger.errors import BadEntry, BooksClosed
from ledger.models import Balance, Checkpoint, CheckpointHead, Closing, Entry, Line
from ledger.rows import Header
from ledger.services import Posted, credit, debit, hold, note, open_account, post, reverse, settle
from ledger.verifying import verify
from tests.ledger.conftest import usd

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("R84")]


def spend(minor: int, key: str, **facts: Any) -> Posted:
    lines = [credit("alpha:funds", usd(minor)), debit("alpha:cost", usd(minor))]
    return post(key=key, kind="spend", lines=lines, **facts)


@pytest.fixture
def history(books: Callable[..., Posted]) -> None:
    """Fourteen lines on three accounts: deposits, a spending taken back, a hold and its end, a memo; all under a checkpoint."""
    books(10_000)
    books(500, "deposit:2")
    spent = spend(300, "spend:1", memo="first", actor="ben", reference=("order", "1"))
    reverse(key="undo:1", entry=spent.entry)
    lines = [credit("alpha:funds", usd(200)), debit("alpha:cost", usd(200))]
    hold(key="h", lines=lines)
    settle(key="s", hold_key="h", lines=lines)
    note(key="n", account="alpha:funds", memo="refused")
    checkpoint()


@contextmanager
def as_owner() -> Iterator[None]:
    """What the owner of a database can do: switch every trigger off, foreign keys' too, and on again afterwards."""
    if connection.vendor == "sqlite":
        with guards.lifted(connection):
            yield
        return
    connection.check_constraints()
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        try:
            yield
        finally:
            cursor.execute("SET session_replication_role = DEFAULT")


def tamper(sql: str, *values: Any) -> None:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(sql, values)
        assert cursor.rowcount > 0


def found() -> list[str]:
    return [str(finding) for finding in verify().findings]


def test_one_line_has_these_very_bytes() -> None:
    """Both engines, every version and any verifier of an export must agree on them."""
    at = datetime(2026, 11, 21, 6, 0, 0, 123456, tzinfo=UTC)
    one = uuid.UUID(int=1)
    header = chain.header_bytes(
        one, "deposit:1", "f" * 64, "deposit", date(2026, 11, 21), at, "deposit", "1", "mémo", "fay", 2, None, one
    )
    digest = chain.link(chain.GENESIS, header, 1, "alpha:funds", "USD", "settled", -4500, 1, -4500, 0)
    assert digest.hex() == "0062874e4f2bf1f865701d2b20b04a57488c94215ff75b95dee107f82778bc7e"


def test_an_honest_history_has_nothing_to_report(history: None) -> None:
    report = verify()
    assert (report.lines, report.checkpoints, report.findings) == (15, 1, [])
    funds = Balance.objects.get(account__code="alpha:funds")
    assert bytes(funds.head) == bytes(Line.objects.get(account_id=funds.pk, seq=funds.seq).hash)


@pytest.mark.parametrize(
    "change",
    [
        "amount = amount + 1",
        "amount = -amount",
        "layer = 'held'",
        "currency = 'EUR'",
        "settled_after = settled_after + 1",
        "held_after = held_after - 1",
        "legs = 3",
        "hash = x'00'" if connection.vendor == "sqlite" else "hash = '\\x00'",
    ],
)
def test_a_changed_line_is_named(history: None, change: str) -> None:
    funds = Balance.objects.get(account__code="alpha:funds")
    tamper(f"UPDATE ledger_line SET {change} WHERE account_id = %s AND seq = 3", funds.pk)
    assert any(words.startswith("alpha:funds line 3:") for words in found())


@pytest.mark.parametrize(
    "change",
    [
        "kind = 'refund'",
        "key = 'another'",
        "fingerprint = 'f'",
        "effective_on = '2020-01-01'",
        "recorded_at = '2020-01-01 00:00:00+00:00'",
        "reference_kind = 'deposit'",
        "reference_id = '2'",
        "memo = 'last'",
        "actor = 'sam'",
        "legs = 1",
    ],
)
def test_a_changed_header_is_named_on_each_of_its_lines(history: None, change: str) -> None:
    tamper(f"UPDATE ledger_entry SET {change} WHERE key = 'spend:1'")
    words = found()
    assert any(one.startswith("alpha:funds line 3:") for one in words)
    assert any(one.startswith("alpha:cost line 1:") for one in words)


def test_an_entry_whose_id_hides_it_from_its_day_is_named(history: None) -> None:
    spend(100, "hidden")
    tamper("UPDATE ledger_entry SET recorded_at = '2020-01-01 00:00:00+00:00' WHERE key = 'hidden'")
    assert any("id does not begin with the time" in words for words in found())


def test_what_an_entry_ends_or_reverses_cannot_be_repointed(history: None) -> None:
    tamper("UPDATE ledger_entry SET resolves_id = NULL WHERE key = 's'")
    tamper("UPDATE ledger_entry SET reverses_id = NULL WHERE key = 'undo:1'")
    assert sum("was changed after it was booked" in words for words in found()) == 2


def test_a_removed_entry_leaves_a_hole(history: None) -> None:
    tamper("DELETE FROM ledger_line WHERE entry_id = (SELECT id FROM ledger_entry WHERE key = 'spend:1')")
    words = found()
    assert "alpha:funds line 3: missing: a line was removed or lines were reordered" in words
    assert "spend:1: the entry does not have the lines it states" in words


def test_reordered_lines_are_found(history: None) -> None:
    funds = Balance.objects.get(account__code="alpha:funds").pk
    for old, new in ((1, 900), (2, 1), (900, 2)):
        tamper("UPDATE ledger_line SET seq = %s WHERE account_id = %s AND seq = %s", new, funds, old)
    assert any(words.startswith("alpha:funds line 1:") for words in found())


def rewind(keys: list[str]) -> None:
    """Take entries away and set the balances as if they had never been: what a restored backup looks like."""
    gone = list(Entry.objects.filter(key__in=keys).values_list("pk", flat=True))
    with as_owner():
        Line.objects.filter(entry_id__in=gone)._raw_delete("default")
        Entry.objects.filter(pk__in=gone)._raw_delete("default")
        for row in Balance.objects.all():
            last = Line.objects.filter(account_id=row.pk).order_by("-seq").first()
            assert last is not None
            Balance.objects.filter(pk=row.pk).update(
                seq=last.seq, settled=last.settled_after, held=last.held_after, head=last.hash, last_id=last.entry_id
            )


def test_a_cut_tail_is_found_against_the_checkpoint(history: None) -> None:
    rewind(["n", "s"])
    assert found() == [
        "alpha:cost line 4: missing, although checkpoint 1 covers it: the end was cut off",
        "alpha:funds line 6: missing, although checkpoint 1 covers it: the end was cut off",
    ]


def test_a_stored_balance_that_drifted_is_found(history: None) -> None:
    tamper("UPDATE ledger_balance SET settled = settled + 1 WHERE seq = (SELECT max(seq) FROM ledger_balance)")
    assert found() == ["alpha:funds line 8: the stored balance is not what this last line left behind"]


def test_a_line_renumbered_out_of_sight_is_named_and_no_other_account(history: None) -> None:
    funds = Balance.objects.get(account__code="alpha:funds").pk
    tamper("UPDATE ledger_line SET seq = 900 WHERE account_id = %s AND seq = 3", funds)
    assert found() == ["alpha:funds line 3: missing: a line was removed or lines were reordered"]


def test_a_balance_set_back_by_a_line_is_found(history: None) -> None:
    before = Line.objects.get(account__code="alpha:funds", seq=7)
    with as_owner():
        Balance.objects.filter(account__code="alpha:funds").update(
            seq=7,
            settled=before.settled_after,
            held=before.held_after,
            head=bytes(before.hash),
            last_id=before.entry_id,
        )
    assert "alpha:funds line 8: follows the last line that the stored balance knows" in found()


def test_what_is_booked_while_it_reads_is_left_for_the_next_time(history: None) -> None:
    def late(since: int) -> Any:
        spend(7, "meanwhile")
        return entries(since)

    entries = verifying._entries
    with patch.object(verifying, "_entries", late):
        report = verify()
    assert (report.lines, report.findings) == (15, [])
    assert (verify().lines, verify().findings) == (17, [])


def header_of(entry: Entry) -> bytes:
    return chain.header_bytes(*(getattr(entry, name) for name in Header._fields))


def rebuild() -> None:
    """Forge every hash and every checkpoint over the rows as they are now: what an owner with time can do."""
    with as_owner():
        CheckpointHead.objects.all()._raw_delete("default")
        Checkpoint.objects.all()._raw_delete("default")
        for row in Balance.objects.select_related("account"):
            head = chain.GENESIS
            for line in Line.objects.filter(account_id=row.pk).select_related("entry").order_by("seq"):
                after = (line.amount, line.seq, line.settled_after, line.held_after)
                head = chain.link(
                    head, header_of(line.entry), line.leg, row.account.code, line.currency, line.layer, *after
                )
                Line.objects.filter(entry_id=line.entry_id, leg=line.leg).update(hash=head)
            Balance.objects.filter(pk=row.pk).update(head=head)
    checkpoint()


def test_a_forged_history_is_consistent_and_still_not_the_one_published(history: None) -> None:
    published = {1: bytes(Checkpoint.objects.get(no=1).hash).hex()}
    assert verify(published=published).findings == []
    tamper("UPDATE ledger_entry SET memo = 'forged' WHERE key = 'spend:1'")
    rebuild()
    assert found() == []
    (finding,) = verify(published=published).findings
    assert "differs from the one published: the database was rebuilt or restored" in str(finding)


def test_a_restored_database_lacks_the_published_checkpoint(history: None) -> None:
    (finding,) = verify(published={2: "ab" * 32}).findings
    assert str(finding).startswith("checkpoint 2: was published and is not here")


def test_a_changed_checkpoint_is_found(history: None) -> None:
    tamper("UPDATE ledger_checkpoint SET lines = lines - 1")
    assert found() == ["checkpoint 1: was changed or removed, or does not follow the one before it"]


def test_a_checkpoint_covers_what_moved_and_nothing_twice(history: None, books: Callable[..., Posted]) -> None:
    first = Checkpoint.objects.get()
    assert (first.no, first.lines) == (1, 15)
    again = checkpoint()
    assert again is not None
    assert (again.no, Checkpoint.objects.count()) == (1, 1)
    spend(10, "spend:2")
    second = checkpoint()
    assert second is not None
    assert (second.no, second.lines, bytes(second.previous)) == (2, 17, bytes(first.hash))
    assert sorted(second.heads.values_list("account__code", flat=True)) == ["alpha:cost", "alpha:funds"]
    assert verify(since_checkpoint=1).lines == 2
    assert verify().findings == []


def test_nothing_booked_is_nothing_to_cover(db: None) -> None:
    assert checkpoint() is None
    assert verify().findings == []


def test_closed_books_refuse_the_day_and_answer_a_retry(history: None) -> None:
    early = spend(5, "early", effective_on=date(2020, 1, 15)).entry
    close_books(owner="alpha", through=date(2020, 1, 31), closed_by="fay", reviewed_by="max")
    before = Line.objects.count()
    with pytest.raises(BooksClosed, match="The books are closed for 2020-01-31"):
        spend(5, "late", effective_on=date(2020, 1, 31))
    assert Line.objects.count() == before
    assert spend(5, "early", effective_on=date(2020, 1, 15)).entry == early
    assert spend(5, "open", effective_on=date(2020, 2, 1)).created
    assert reverse(key="undo:early", entry=early).created
    open_account(code="beta:funds", name="Beta", currency="USD", role="funds", owner="beta")
    open_account(code="beta:external", name="Beta", currency="USD", role="external", owner="beta")
    other = [debit("beta:funds", usd(5)), credit("beta:external", usd(5))]
    assert post(key="beta", kind="deposit", lines=other, effective_on=date(2020, 1, 1)).created
    assert verify().findings == []


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"through": date(2100, 1, 1)}, "is not over yet"),
        ({"reviewed_by": "fay"}, "two different people"),
        ({"through": date(2019, 12, 31)}, "closed through 2020-01-31 already"),
        ({"through": date(2020, 1, 31)}, "closed through 2020-01-31 already"),
    ],
)
def test_a_wrong_closing_is_refused(history: None, facts: dict[str, Any], says: str) -> None:
    close_books(owner="alpha", through=date(2020, 1, 31), closed_by="fay", reviewed_by="max")
    wanted: dict[str, Any] = {"owner": "alpha", "through": date(2020, 2, 29), "closed_by": "fay", "reviewed_by": "max"}
    with pytest.raises(BadEntry, match=says):
        close_books(**wanted | facts)
    assert Closing.objects.count() == 1
    assert closed_through("alpha") == date(2020, 1, 31)


def test_books_without_a_movement_are_not_closed(db: None) -> None:
    with pytest.raises(BadEntry, match="Nothing was ever booked"):
        close_books(owner="alpha", through=date(2020, 1, 31), closed_by="fay", reviewed_by="max")
    assert closed_through("alpha") is None
