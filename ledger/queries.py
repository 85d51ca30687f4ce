"""Reading. Balances come from stored numbers, never from a sum over history; pages are ranges of an account's `seq`."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby

from django.db import connection
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from ledger.chain import MICROSECOND
from ledger.errors import UnknownAccount
from ledger.models import DATED_ELSEWHERE, Account, Balance, Entry, Layer, Line, first_id
from ledger.rows import Pot, read_pots
from ledger.sending import id_value, list_of, run

CHUNK = 2000


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """Minor units of one account. Holds on funds are negative: free = settled + held; `seq` is the number of lines."""

    settled: int
    held: int
    currency: str
    seq: int = 0

    @property
    def free(self) -> int:
        return self.settled + self.held


@dataclass(frozen=True, slots=True)
class StatementLine:
    """A line with its entry and the balance after it, in minor units; a memo line has amount 0."""

    seq: int
    layer: str
    amount: int
    currency: str
    settled_after: int
    held_after: int
    recorded_at: datetime
    effective_on: date
    entry_id: uuid.UUID
    key: str
    kind: str
    reference_kind: str
    reference_id: str
    memo: str
    actor: str

    @property
    def debit(self) -> int:
        return max(self.amount, 0)

    @property
    def credit(self) -> int:
        return max(-self.amount, 0)

    @property
    def free_after(self) -> int:
        return self.settled_after + self.held_after


@dataclass(frozen=True, slots=True)
class StatementPage:
    """Lines newest first; `before` and `after` are the seq to pass for the older and newer page, None at the end."""

    lines: list[StatementLine]
    before: int | None
    after: int | None
    last_seq: int


@dataclass(frozen=True, slots=True)
class KindSum:
    """What one kind of entry moved on an account, in minor units."""

    kind: str
    settled: int
    held: int
    lines: int


@dataclass(frozen=True, slots=True)
class Movements:
    """opening + the sums of `kinds` = closing, in settled and in held."""

    opening: AccountBalance
    kinds: list[KindSum]
    closing: AccountBalance


@dataclass(frozen=True, slots=True)
class Booked:
    """An entry by its key and what it moved: (account code, layer, minor units) of each line; `ended` is of a hold."""

    key: str
    kind: str
    ended: bool
    moves: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class TrialRow:
    """An account's settled balance as a debit or a credit, and what is held on it."""

    code: str
    name: str
    role: str
    owner: str
    debit: int
    credit: int
    held: int


def balance(account: str) -> AccountBalance:
    """The balance now; UnknownAccount if there is no such code."""
    found = _balance(account)
    return AccountBalance(found.settled, found.held, found.currency, found.seq)


def balance_at(account: str, at: datetime) -> AccountBalance:
    """The balance as recorded at an instant, lines of that very instant included."""
    found = _balance(account)
    return _after(found, _seq_until(found, at, inclusive=True))


def balance_on(account: str, day: date) -> AccountBalance:
    """The balance by effective day: of what is dated up to `day` (UTC), whenever it was recorded; `seq` is that of `balance_at`.

    The balance as recorded when the day ended, less what it has of later days, with what came later for this one or before.
    """
    found = _balance(account)
    end = datetime.combine(day + timedelta(days=1), time(), UTC)
    recorded = _after(found, _seq_until(found, end, inclusive=False))
    early, late = Q(effective_on__gt=day, id__lt=first_id(end)), Q(effective_on__lte=day, id__gte=first_id(end))
    moved = {Layer.SETTLED: recorded.settled, Layer.HELD: recorded.held, Layer.MEMO: 0}
    for which, sign in ((early, -1), (late, 1)):
        for line in _lines_of(found, Entry.objects.filter(DATED_ELSEWHERE, which)):
            moved[Layer(line.layer)] += sign * line.amount
    return AccountBalance(moved[Layer.SETTLED], moved[Layer.HELD], recorded.currency, recorded.seq)


def statement(
    account: str,
    *,
    before_seq: int | None = None,
    after_seq: int | None = None,
    limit: int = 50,
    kinds: Collection[str] = (),
    reference: tuple[str, str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> StatementPage:
    """A page of an account's lines, newest first; `since` <= recorded < `until`."""
    found = _balance(account)
    lines = _matching(found, kinds, reference, since, until)
    forward = after_seq is not None
    if before_seq is not None:
        lines = lines.filter(seq__lt=before_seq)
    if after_seq is not None:
        lines = lines.filter(seq__gt=after_seq)
    rows = [_view(line) for line in lines.order_by("seq" if forward else "-seq")[: limit + 1]]
    more, rows = len(rows) > limit, rows[:limit]
    if forward:
        rows.reverse()
    has_older, has_newer = (True, more) if forward else (more, before_seq is not None)
    return StatementPage(
        lines=rows,
        before=rows[-1].seq if rows and has_older else None,
        after=rows[0].seq if rows and has_newer else None,
        last_seq=found.seq,
    )


def iter_statement(
    account: str,
    *,
    kinds: Collection[str] = (),
    reference: tuple[str, str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[StatementLine]:
    """Every matching line, oldest first, in chunks: an export of any length needs the memory of one chunk."""
    lines = _matching(_balance(account), kinds, reference, since, until).order_by("seq")
    last = 0
    while chunk := list(lines.filter(seq__gt=last)[:CHUNK]):
        yield from map(_view, chunk)
        last = chunk[-1].seq


def lines_between(accounts: Collection[str], start: datetime, end: datetime) -> QuerySet[Line]:
    """Lines of several accounts with `start` <= recorded < `end`, in no order; a code that is not open has none."""
    keys = Account.objects.filter(code__in=accounts).values_list("pk", flat=True)
    wanted = Q(pk__in=[])
    for account, (first, last) in _seqs_until(list(keys), start, end).items():
        wanted |= Q(account_id=account, seq__gt=first, seq__lte=last)
    return Line.objects.filter(wanted)


def movement_sums(account: str, start: datetime, end: datetime) -> Movements:
    """What each kind moved with `start` <= recorded < `end`, between the opening and the closing balance."""
    found = _balance(account)
    first, last = _seqs_until([found.account_id], start, end)[found.account_id]
    rows = (
        Line.objects.filter(account_id=found.account_id, seq__gt=first, seq__lte=last)
        .values("entry__kind")
        .annotate(
            settled=Coalesce(Sum("amount", filter=Q(layer=Layer.SETTLED)), 0),
            held=Coalesce(Sum("amount", filter=Q(layer=Layer.HELD)), 0),
            lines=Count("leg"),
        )
        .order_by("entry__kind")
    )
    kinds = [KindSum(row["entry__kind"], row["settled"], row["held"], row["lines"]) for row in rows]
    return Movements(_after(found, first), kinds, _after(found, last))


def trial_balance(currency: str) -> list[TrialRow]:
    """Every account of one currency; its debits equal its credits. There is no total over currencies."""
    balances = Balance.objects.select_related("account").filter(account__currency=currency).order_by("account__code")
    return [
        TrialRow(
            code=found.account.code,
            name=found.account.name,
            role=found.account.role,
            owner=found.account.owner,
            debit=max(found.settled, 0),
            credit=max(-found.settled, 0),
            held=found.held,
        )
        for found in balances
    ]


def entries_for(reference_kind: str, reference_id: str) -> QuerySet[Entry]:
    """Everything booked for one thing outside, oldest first, with lines and accounts."""
    entries = Entry.objects.filter(reference_kind=reference_kind, reference_id=reference_id)
    return entries.prefetch_related("lines__account").order_by("id")


_BOOKED = (
    "SELECT e.key, e.kind, EXISTS (SELECT 1 FROM ledger_entry r WHERE r.resolves_id = e.id), a.code, l.layer, l.amount"
    " FROM ledger_entry e JOIN ledger_line l ON l.entry_id = e.id JOIN ledger_account a ON a.id = l.account_id"
    " WHERE e.reference_kind = %s AND e.reference_id = %s ORDER BY e.id, l.leg"
)


def booked_for(reference_kind: str, reference_id: str) -> list[Booked]:
    """The same as bare facts, in one query: what a posting rule looks at first."""
    (rows,) = run([(_BOOKED, [reference_kind, reference_id])])
    entries = groupby(rows, key=lambda row: tuple(row[:3]))
    return [Booked(key, kind, bool(ended), tuple(row[3:] for row in rows)) for (key, kind, ended), rows in entries]


def opened(codes: Collection[str]) -> int:
    """How many of these accounts there are."""
    ((found,),) = run([list_of("SELECT count(*) FROM ledger_account WHERE code IN ({})", [*codes])])[0]
    return int(found)


def entry_by_key(key: str) -> Entry | None:
    """The entry that stands for a key."""
    return Entry.objects.filter(key=key).first()


def open_holds(account: str) -> QuerySet[Entry]:
    """Holds on an account that nothing has ended, oldest first."""
    entries = Entry.objects.filter(
        resolves=None, resolved_by=None, lines__account__code=account, lines__layer=Layer.HELD
    )
    return entries.distinct().order_by("id")


def accounts(*, owner: str | None = None, role: str | None = None, currency: str | None = None) -> QuerySet[Account]:
    """Accounts with their balances, by code."""
    wanted = {"owner": owner, "role": role, "currency": currency}
    found = Account.objects.select_related("balance").order_by("code")
    return found.filter(**{name: value for name, value in wanted.items() if value is not None})


def _balance(code: str) -> Pot:
    try:
        return read_pots([code])[code]
    except KeyError:
        raise UnknownAccount(f"There is no account {code}. Open it first.") from None


# Time never runs backwards on an account, so that halving the range finds the line: twenty steps for a million lines.
_HALVING = (
    "WITH RECURSIVE span(account, number, moment, low, high) AS (SELECT b.account_id, m.column1, m.column2,"
    " CAST(0 AS bigint), b.seq + 1 FROM ledger_balance b CROSS JOIN (VALUES {moments}) m WHERE b.account_id IN ({accounts})"
    " UNION ALL SELECT account, number, moment, CASE WHEN l.entry_id < moment THEN l.seq ELSE low END,"
    " CASE WHEN l.entry_id < moment THEN high ELSE l.seq END FROM span JOIN ledger_line l"
    " ON l.account_id = account AND l.seq = (low + high) / 2 WHERE high - low > 1)"
    " SELECT account, number, max(low) FROM span GROUP BY account, number ORDER BY account, number"
)


def _seqs_until(accounts: Collection[int], *moments: datetime) -> dict[int, list[int]]:
    """By account, the last seq recorded before each of these moments, 0 if none, however long the history."""
    values = [value for number, moment in enumerate(moments) for value in (number, id_value(first_id(moment)))]
    marks = {"moments": ", ".join(["(%s, %s)"] * len(moments)), "accounts": ", ".join(["%s"] * len(accounts))}
    found: dict[int, list[int]] = {account: [] for account in accounts}
    if found:
        with connection.cursor() as cursor:
            cursor.execute(_HALVING.format(**marks), [*values, *accounts])
            for account, _, seq in cursor.fetchall():
                found[account].append(int(seq))
    return found


def _seq_until(found: Pot, at: datetime, *, inclusive: bool) -> int:
    """The last seq recorded before an instant, 0 if none."""
    return _seqs_until([found.account_id], at + MICROSECOND if inclusive else at)[found.account_id][0]


def _after(found: Pot, seq: int) -> AccountBalance:
    """The balance that line `seq` left behind; zero before the first."""
    if seq == 0:
        return AccountBalance(0, 0, found.currency)
    line = Line.objects.only("settled_after", "held_after").get(account_id=found.account_id, seq=seq)
    return AccountBalance(line.settled_after, line.held_after, found.currency, seq)


def _matching(
    found: Pot,
    kinds: Collection[str],
    reference: tuple[str, str] | None,
    since: datetime | None,
    until: datetime | None,
) -> QuerySet[Line]:
    lines = Line.objects.filter(account_id=found.account_id).select_related("entry")
    if kinds:
        lines = lines.filter(entry__kind__in=kinds)
    if reference is not None:
        about = Entry.objects.filter(reference_kind=reference[0], reference_id=reference[1])
        lines = lines.filter(seq__in=[line.seq for line in _lines_of(found, about)])
    if since is not None:
        lines = lines.filter(seq__gt=_seq_until(found, since, inclusive=False))
    if until is not None:
        lines = lines.filter(seq__lte=_seq_until(found, until, inclusive=False))
    return lines


def _lines_of(found: Pot, entries: QuerySet[Entry]) -> Iterator[Line]:
    """The lines of few entries on an account, by the entries: not by reading the account for them."""
    keys = list(entries.values_list("pk", flat=True))
    for start in range(0, len(keys), CHUNK):
        lines = Line.objects.filter(entry_id__in=keys[start : start + CHUNK])
        yield from (line for line in lines if line.account_id == found.account_id)


def _view(line: Line) -> StatementLine:
    entry = line.entry
    return StatementLine(
        seq=line.seq,
        layer=line.layer,
        amount=line.amount,
        currency=line.currency,
        settled_after=line.settled_after,
        held_after=line.held_after,
        recorded_at=entry.recorded_at,
        effective_on=entry.effective_on,
        entry_id=entry.pk,
        key=entry.key,
        kind=entry.kind,
        reference_kind=entry.reference_kind,
        reference_id=entry.reference_id,
        memo=entry.memo,
        actor=entry.actor,
    )
