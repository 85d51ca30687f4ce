"""The whole ledger as plain-text accounting, for hledger and beancount: other people's programs that reckon it again.

Held money stands in accounts of its own (`…:held`), so that settled balances read as they do here; an entry's day is the
day it is effective. Nothing is rounded and nothing is left out; memo lines become comments or notes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import Min

from ledger.models import Account, Entry, Layer, Line
from ledger.money import decimal_amount, exponent

CHUNK = 1_000
# What a role is in the five kinds of account that beancount knows.
ROOTS = {"funds": "Assets", "cost": "Expenses", "external": "Equity", "suspense": "Liabilities", "receivable": "Assets"}
NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True)
class Style:
    """How one program writes accounts and entries."""

    opening: Callable[[Sequence[Account], date], Iterable[str]]
    entry: Callable[[Entry, Sequence[Line]], Iterable[str]]


def write(style: str, *, owner: str = "", currency: str = "") -> Iterator[str]:
    """The lines of a journal in `style` ("hledger" or "beancount"); `owner` and `currency` narrow it to their accounts."""
    accounts = Account.objects.order_by("code")
    accounts = accounts.filter(owner=owner) if owner else accounts
    accounts = accounts.filter(currency=currency) if currency else accounts
    known = list(accounts)
    begins = Entry.objects.aggregate(first=Min("effective_on"))["first"]
    if begins is None or not known:
        return
    yield from STYLES[style].opening(known, begins)
    for entry, lines in _entries({account.pk for account in known} if owner or currency else set()):
        yield ""
        yield from STYLES[style].entry(entry, lines)


def _entries(account_ids: set[int]) -> Iterator[tuple[Entry, Sequence[Line]]]:
    """Entries with their lines, as they were recorded, a chunk at a time."""
    entries = Entry.objects.order_by("id").prefetch_related("lines__account")
    if account_ids:
        entries = entries.filter(pk__in=Line.objects.filter(account_id__in=account_ids).values("entry_id"))
    found = list(entries[:CHUNK])
    while found:
        for entry in found:
            yield entry, sorted(entry.lines.all(), key=lambda line: line.leg)
        found = list(entries.filter(id__gt=found[-1].pk)[:CHUNK])


def _amount(line: Line) -> str:
    return f"{decimal_amount(line.amount, line.currency)} {line.currency}"


def _words(entry: Entry) -> str:
    """Kind and memo on one line."""
    return " ".join(f"{entry.kind} {entry.memo}".split())


def _hledger_opening(accounts: Sequence[Account], begins: date) -> Iterator[str]:
    for currency in sorted({account.currency for account in accounts}):
        places = exponent(currency)
        yield f"commodity 1000{'.' + '0' * places if places else '.'} {currency}"
    for account in accounts:
        yield f"account {account.code}"


def _hledger_entry(entry: Entry, lines: Sequence[Line]) -> Iterator[str]:
    """A semicolon would begin a comment and a bracket end the key; neither may come from a memo or a key."""
    words = _words(entry).replace(";", ",").replace("|", "/")
    yield f"{entry.effective_on} ({entry.key.replace(')', ']')}) {words}"
    for line in lines:
        if line.layer == Layer.MEMO:
            yield f"    ; on {line.account.code}"
        else:
            yield f"    {line.account.code}{':held' if line.layer == Layer.HELD else ''}  {_amount(line)}"


def beancount_name(account: Account) -> str:
    """An account as beancount spells it; its number tells apart two codes that would read the same."""
    parts = [NOT_IN_A_NAME.sub("-", part).strip("-") or "X" for part in account.code.split(":")]
    named = ":".join(part[:1].upper() + part[1:] for part in parts)
    return f"{ROOTS.get(account.role, 'Equity')}:{named}-{account.pk}"


def _quoted(words: str) -> str:
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _beancount_opening(accounts: Sequence[Account], begins: date) -> Iterator[str]:
    yield 'option "inferred_tolerance_default" "*:0"'
    for account in accounts:
        for name in (beancount_name(account), f"{beancount_name(account)}:Held"):
            yield f"{begins} open {name} {account.currency}"
            yield f"  code: {_quoted(account.code)}"


def _beancount_entry(entry: Entry, lines: Sequence[Line]) -> Iterator[str]:
    moved = [line for line in lines if line.layer != Layer.MEMO]
    for line in lines:
        if line.layer == Layer.MEMO:
            yield f"{entry.effective_on} note {beancount_name(line.account)} {_quoted(_words(entry))}"
    if moved:
        yield f"{entry.effective_on} * {_quoted(entry.kind)} {_quoted(_words(entry))}"
        yield f"  key: {_quoted(entry.key)}"
        for line in moved:
            name = beancount_name(line.account) + (":Held" if line.layer == Layer.HELD else "")
            yield f"  {name}  {_amount(line)}"


STYLES = {
    "hledger": Style(_hledger_opening, _hledger_entry),
    "beancount": Style(_beancount_opening, _beancount_entry),
}
