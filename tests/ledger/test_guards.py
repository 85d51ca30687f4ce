"""The database refuses what is wrong, whoever sends it: each statement goes by hand to the running engine."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from ledger import guards
from ledger.closing import close_books
from ledger.models import Account, Balance, Checkpoint, CheckpointHead, Closing, Entry, Line, new_id
from ledger.money import Money
from ledger.services import Posted, credit, debit, hold, note, open_account, post, release, reverse
from tests.ledger.conftest import deposit, open_books, usd

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("R84")]
AT = datetime(2040, 1, 1, tzinfo=UTC)
HASH = bytes([7]) * 32
TABLES = [
    f"ledger_{name}" for name in ("account", "entry", "line", "balance", "checkpoint", "checkpointhead", "closing")
]
LINE = (
    "INSERT INTO ledger_line (entry_id, leg, legs, account_id, currency, layer, amount, seq, settled_after, held_after,"
    " hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
HEADER = (
    "INSERT INTO ledger_entry (id, key, fingerprint, kind, effective_on, recorded_at, reference_kind, reference_id,"
    " memo, actor, legs, resolves_id, reverses_id) VALUES"
    " (%s, %s, '', 'x', %s, %s, '', '', '', '', %s, %s, %s)"
)


def run(sql: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def db_uuid(value: uuid.UUID | None) -> Any:
    return value.hex if value and connection.vendor == "sqlite" else value


@dataclass(frozen=True)
class Hand:
    """An entry written by hand, right in every respect unless a test says otherwise."""

    amounts: tuple[tuple[str, str, int], ...] = (("alpha:funds", "settled", 100), ("alpha:external", "settled", -100))
    id: uuid.UUID = field(default_factory=partial(new_id, AT))
    legs: int | None = None
    move_balances: bool = True
    header: bool = True
    resolves: uuid.UUID | None = None
    reverses: uuid.UUID | None = None
    line: dict[str, Any] = field(default_factory=dict)
    effective_on: str = "2040-01-01"
    at: datetime = AT

    def write(self) -> None:
        legs = self.legs or len(self.amounts)
        for leg, (code, layer, amount) in enumerate(self.amounts, start=1):
            balance = Balance.objects.select_related("account").get(account__code=code)
            self._line(leg, legs, balance, layer, amount)
        if self.header:
            at = connection.ops.adapt_datetimefield_value(self.at)
            link = db_uuid(self.resolves), db_uuid(self.reverses)
            run(HEADER, db_uuid(self.id), f"hand:{self.id}", self.effective_on, at, legs, *link)

    def _line(self, leg: int, legs: int, balance: Balance, layer: str, amount: int) -> None:
        last = Line.objects.filter(account=balance.account).order_by("-seq").first()
        seq, settled, held = (last.seq, last.settled_after, last.held_after) if last else (0, 0, 0)
        row: dict[str, Any] = {
            "entry_id": db_uuid(self.id),
            "leg": leg,
            "legs": legs,
            "account_id": balance.pk,
            "currency": balance.account.currency,
            "layer": layer,
            "amount": amount,
            "seq": seq + 1,
            "settled_after": settled + (amount if layer == "settled" else 0),
            "held_after": held + (amount if layer == "held" else 0),
            "hash": HASH,
        } | (self.line if leg == 1 else {})
        run(LINE, *row.values())
        if self.move_balances:
            sql = "UPDATE ledger_balance SET settled = %s, held = %s, seq = %s, last_id = %s, head = %s WHERE account_id = %s"
            after = (row["settled_after"], row["held_after"], row["seq"], row["entry_id"], row["hash"])
            run(sql, *after, balance.pk)


def state() -> list[object]:
    """Everything the ledger holds."""
    return [
        list(model.objects.order_by("pk").values_list())
        for model in (Account, Balance, Entry, Line, Checkpoint, CheckpointHead, Closing)
    ]


def refused(write: Callable[[], object], says: str) -> None:
    before = state()
    with pytest.raises(DatabaseError, match=says):
        commit(write)
    assert state() == before


def commit(write: Callable[[], object]) -> None:
    with transaction.atomic():
        write()
        connection.check_constraints()


@pytest.fixture
def held(books: Callable[..., Posted]) -> Entry:
    books(10_000)
    posted = hold(key="h", lines=[credit("alpha:funds", usd(4_500)), debit("alpha:cost", usd(4_500))])
    close_books(owner="alpha", through=date(2020, 1, 31), closed_by="fay", reviewed_by="max")
    return posted.entry


def test_a_right_entry_by_hand_is_accepted(held: Entry) -> None:
    Hand().write()
    connection.check_constraints()
    assert Balance.objects.get(account__code="alpha:funds").settled == 10_100


@pytest.mark.parametrize("table", TABLES)
def test_rows_are_never_deleted(held: Entry, table: str) -> None:
    refused(lambda: run(f"DELETE FROM {table}"), "append-only: DELETE refused")


@pytest.mark.parametrize(
    "change",
    [
        "ledger_account SET name = 'x'",
        "ledger_entry SET memo = 'x'",
        "ledger_entry SET effective_on = '2020-01-01'",
        "ledger_line SET amount = amount * 2",
        "ledger_line SET account_id = account_id",
        "ledger_line SET hash = hash",
        "ledger_checkpoint SET lines = 0",
        "ledger_checkpointhead SET seq = 0",
        "ledger_closing SET through = '2001-01-01'",
    ],
)
def test_rows_are_never_changed(held: Entry, change: str) -> None:
    refused(lambda: run(f"UPDATE {change}"), "append-only: UPDATE refused")


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no TRUNCATE")
@pytest.mark.parametrize("table", TABLES)
def test_tables_are_never_truncated(held: Entry, table: str) -> None:
    # A header just written still has its key to check; TRUNCATE then fails for that reason before any trigger.
    connection.check_constraints()
    refused(lambda: run(f"TRUNCATE {table} CASCADE"), "append-only: TRUNCATE refused")


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL has no REPLACE")
@pytest.mark.parametrize("table", TABLES)
def test_rows_are_never_replaced(held: Entry, table: str) -> None:
    says = "this key is taken|late_line|starts_empty|in_order"
    refused(lambda: run(f"REPLACE INTO {table} SELECT * FROM {table}"), says)
    refused(lambda: run(f"INSERT OR IGNORE INTO {table} SELECT * FROM {table}"), says)


@pytest.mark.parametrize(
    ("hand", "says"),
    [
        (Hand(amounts=(("alpha:funds", "settled", 100), ("alpha:external", "settled", -99))), "zero_sum"),
        (Hand(amounts=(("alpha:funds", "settled", 100),)), "zero_sum"),
        (Hand(amounts=(("alpha:funds", "settled", 100), ("alpha:external", "held", -100))), "zero_sum"),
        (Hand(legs=3), "all_legs"),
        (Hand(amounts=(), legs=2), "all_legs"),
        (Hand(line={"currency": "EUR"}), "account_currency|violates foreign key"),
        (Hand(line={"seq": 7}), "running_balance"),
        (Hand(line={"seq": 1}), "running_balance|UNIQUE|unique"),
        (Hand(line={"settled_after": 999_999}), "running_balance"),
        (Hand(line={"held_after": 0}), "running_balance"),
        (Hand(move_balances=False), "balance_booked"),
        (Hand(header=False), "ledger_line"),
        (Hand(line={"leg": 3}), "ledger_line_leg"),
        (Hand(line={"hash": b""}), "chained"),
        (Hand(line={"amount": 0}), "running_balance|ledger_line_amount"),
        (Hand(line={"layer": "lent"}), "running_balance|ledger_line_amount"),
        (Hand(amounts=(("alpha:funds", "settled", -5_501), ("alpha:cost", "settled", 5_501))), "ledger_balance_floor"),
        (
            Hand(
                amounts=(
                    ("alpha:funds", "held", -5), ("alpha:cost", "held", 5),
                    ("alpha:funds", "settled", -5), ("alpha:cost", "settled", 5),
                )
            ),
            "pure_hold",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_wrong_entries_are_refused(held: Entry, hand: Hand, says: str) -> None:
    refused(replace(hand, id=new_id(AT)).write, says)


@pytest.mark.parametrize(
    ("at", "says"),
    [
        (datetime(2000, 1, 1, tzinfo=UTC), "running_balance"),
        (AT + timedelta(microseconds=1), "dated_id"),
        (AT + timedelta(milliseconds=1), "dated_id"),
        (AT + timedelta(days=1), "dated_id"),
    ],
)
def test_an_id_of_another_time_is_refused(held: Entry, at: datetime, says: str) -> None:
    """A stretch of time is a range of ids: an entry with another one would be in no day, or in the wrong one."""
    refused(Hand(id=new_id(at)).write, says)


@pytest.mark.parametrize("microsecond", [0, 1, 999, 1_000, 123_456, 999_999])
def test_an_id_of_its_very_microsecond_is_taken(held: Entry, microsecond: int) -> None:
    at = AT.replace(microsecond=microsecond)
    commit(Hand(id=new_id(at), at=at).write)
    assert Entry.objects.get(recorded_at=at).lines.count() == 2


def test_two_currencies_do_not_balance_each_other(held: Entry) -> None:
    open_account(code="alpha:eur", name="Alpha euro", currency="EUR", role="funds")
    refused(Hand(amounts=(("alpha:eur", "settled", 100), ("alpha:external", "settled", -100))).write, "zero_sum")


def test_no_line_joins_a_written_entry(held: Entry) -> None:
    for place in ({"leg": 2, "legs": 2}, {"leg": 3, "legs": 3}, {"leg": 3, "legs": 2}):
        late = Hand(id=held.pk, header=False, amounts=(("alpha:funds", "held", 100),), line=place)
        refused(late.write, "late_line|ledger_line_pkey|ledger_line_entry_legs_fk|ledger_line_leg")


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL's columns are typed")
def test_fractions_of_a_minor_unit_are_refused(held: Entry) -> None:
    refused(Hand(line={"amount": 100.5, "settled_after": 10_100.5}).write, "whole_units")


@pytest.mark.parametrize(
    "amounts",
    [
        (("alpha:funds", "held", 4_400), ("alpha:cost", "held", -4_400)),
        (("alpha:funds", "settled", -100), ("alpha:cost", "settled", 100)),
        (("alpha:external", "held", 4_500), ("alpha:cost", "held", -4_500)),
        (
            ("alpha:funds", "held", 4_500), ("alpha:cost", "held", -4_500),
            ("alpha:funds", "held", 4_500), ("alpha:cost", "held", -4_500),
        ),
    ],
)  # fmt: skip
def test_a_hold_ends_by_exactly_its_opposite(held: Entry, amounts: tuple[tuple[str, str, int], ...]) -> None:
    refused(Hand(amounts=amounts, resolves=held.pk).write, "ends_its_hold")


def test_a_hold_ends_once_by_hand_too(held: Entry) -> None:
    release(key="r", hold_key="h", memo="done")
    again = Hand(amounts=(("alpha:funds", "held", 4_500), ("alpha:cost", "held", -4_500)), resolves=held.pk)
    refused(again.write, "resolves_id|key is taken")


def test_what_ends_a_hold_is_not_a_hold(held: Entry) -> None:
    done = release(key="r", hold_key="h", memo="done").entry
    amounts = (("alpha:funds", "held", -4_500), ("alpha:cost", "held", 4_500))
    refused(Hand(amounts=amounts, resolves=done.pk).write, "ends_its_hold")


def test_a_reversal_is_exactly_the_opposite(held: Entry) -> None:
    original = Entry.objects.get(key="deposit:1")
    part = (("alpha:funds", "settled", -100), ("alpha:external", "settled", 100))
    refused(Hand(amounts=part, reverses=original.pk).write, "inverts_its_entry")
    hold_undone = (("alpha:funds", "held", 4_500), ("alpha:cost", "held", -4_500))
    refused(Hand(amounts=hold_undone, reverses=held.pk).write, "inverts_its_entry")


def test_an_entry_is_reversed_once_and_a_reversal_never(books: Callable[..., Posted]) -> None:
    first = books(100).entry
    undone = reverse(key="undo", entry=first).entry
    deposit(500, "deposit:2")
    back = (("alpha:funds", "settled", -100), ("alpha:external", "settled", 100))
    refused(Hand(amounts=back, reverses=first.pk).write, "reverses_id|key is taken")
    forth = (("alpha:funds", "settled", 100), ("alpha:external", "settled", -100))
    refused(Hand(amounts=forth, reverses=undone.pk).write, "inverts_its_entry")


def test_closed_books_take_no_entry(held: Entry) -> None:
    for day in ("2020-01-31", "2019-12-31"):
        refused(Hand(effective_on=day).write, "closed_books")
    Hand(effective_on="2020-02-01").write()


def test_a_day_is_closed_once_and_in_order_by_two(held: Entry) -> None:
    row = "INSERT INTO ledger_closing (owner, through, checkpoint_id, closed_at, closed_by, reviewed_by) VALUES"
    refused(lambda: run(f"{row} ('alpha', '2019-12-31', 1, '2040-01-01', 'a', 'b')"), "in_order")
    refused(lambda: run(f"{row} ('alpha', '2020-03-31', 1, '2040-01-01', 'a', 'a')"), "ledger_closing_needs_two")
    refused(lambda: run(f"{row} ('alpha', '2020-03-31', 9, '2040-01-01', 'a', 'b')"), "(?i)foreign key")


def test_checkpoints_follow_each_other(held: Entry) -> None:
    row = "INSERT INTO ledger_checkpoint (no, at, lines, previous, hash) VALUES"
    for no in (0, 3):
        refused(partial(run, f"{row} ({no}, '2040-01-01', 1, %s, %s)", HASH, HASH), "no_gap|ledger_checkpoint_number")
    refused(lambda: run(f"{row} (2, '2040-01-01', 1, %s, %s)", HASH, HASH), "no_gap")


def test_keys_are_unique(held: Entry) -> None:
    def same_key() -> None:
        hand = Hand(header=False)
        hand.write()
        at = connection.ops.adapt_datetimefield_value(AT)
        run(HEADER, db_uuid(hand.id), "deposit:1", hand.effective_on, at, 2, None, None)

    refused(same_key, "ledger_entry_key|key is taken")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("settled = settled + 1", "follows_lines"),
        ("settled = settled + 1, seq = seq + 1", "follows_lines"),
        ("held = 0", "follows_lines"),
        ("seq = seq + 1", "follows_lines"),
        ("seq = 1, settled = 10000, held = 0", "follows_lines"),
        ("last_id = '00000000000000000000000000000001'", "follows_lines"),
        ("head = ''", "follows_lines"),
        ("floor = -100000", "fixed_floor"),
        ("floor = NULL", "fixed_floor"),
    ],
)
def test_a_balance_only_follows_lines(held: Entry, change: str, says: str) -> None:
    account = Account.objects.get(code="alpha:funds")
    refused(lambda: run(f"UPDATE ledger_balance SET {change} WHERE account_id = %s", account.pk), says)


def test_a_balance_starts_at_zero(held: Entry) -> None:
    account = Account.objects.create(code="new", name="New", role="funds", currency="USD")
    refused(
        lambda: run("INSERT INTO ledger_balance (account_id, settled, held, seq) VALUES (%s, 5, 0, 0)", account.pk),
        "starts_empty",
    )


def test_every_guard_is_installed() -> None:
    assert guards.missing(connection) == []


def test_a_removed_guard_is_missed() -> None:
    where = " ON ledger_line" if connection.vendor == "postgresql" else ""
    run(f"DROP TRIGGER ledger_line_insert_rules{where}")
    assert guards.missing(connection) == ["ledger_line_insert_rules"]


def test_guards_can_be_removed_and_installed_again(held: Entry) -> None:
    connection.check_constraints()
    guards.remove(connection)
    assert len(guards.missing(connection)) == 26
    guards.install(connection)
    refused(lambda: run("DELETE FROM ledger_line"), "append-only")


@pytest.mark.django_db(transaction=True)
def test_lines_without_a_header_are_not_committed() -> None:
    open_books()
    before = state()
    with pytest.raises(IntegrityError), transaction.atomic():
        Hand(header=False).write()
    assert state() == before


def test_another_table_can_be_append_only_too() -> None:
    run("CREATE TABLE other_record (id integer PRIMARY KEY, said text)")
    for sql in guards.append_only_sql("other_record", connection.vendor):
        run(sql)
    run("INSERT INTO other_record VALUES (1, 'a')")
    for change in ("UPDATE other_record SET said = 'b'", "DELETE FROM other_record"):
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            run(change)
    for sql in guards.drop_append_only_sql("other_record", connection.vendor):
        run(sql)
    run("DELETE FROM other_record")


def test_memo_lines_carry_no_money(held: Entry) -> None:
    note(key="n", account="alpha:funds", memo="tried")
    refused(Hand(amounts=(("alpha:funds", "memo", 100),)).write, "ledger_line_amount|zero_sum")


def test_the_services_never_meet_a_guard_by_themselves(held: Entry) -> None:
    """Money of a currency without decimals goes the same way."""
    open_account(code="yen:funds", name="Yen", currency="JPY", role="funds", floor=0)
    open_account(code="yen:external", name="Yen in", currency="JPY", role="external")
    yen = Money(5_000, "JPY")
    assert post(key="y", kind="deposit", lines=[debit("yen:funds", yen), credit("yen:external", yen)]).created
