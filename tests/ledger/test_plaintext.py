"""Two programs that know nothing of us read the ledger and reckon the same balances."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from ledger.models import Account, Balance
from ledger.money import Money, decimal_amount
from ledger.plaintext import beancount_name, write
from ledger.services import credit, debit, hold, note, open_account, post, release, reverse, settle

pytestmark = pytest.mark.django_db
NASTY = 'a "memo"; with (brackets] \\ and date:never | 2026-01-01\nand a second line %'


@pytest.fixture
def month() -> None:
    """Three owners in two-, no- and three-place currencies: deposits, holds in every state, a reversal, a memo."""
    for owner, currency in (("alpha", "USD"), ("psn b2b", "JPY"), ("psn.b2b", "KWD")):
        funds, cost, outside = (f"{owner}:{currency}:{name}" for name in ("funds", "cost", "external"))
        for code, role in ((funds, "funds"), (cost, "cost"), (outside, "external")):
            open_account(code=code, name=code, currency=currency, role=role, owner=owner)
        money = Money(1_234_567, currency)
        day = date(2026, 1, 31)
        first = post(
            key=f"{owner}:1)", kind="deposit", lines=[debit(funds, money), credit(outside, money)],
            effective_on=day, memo=NASTY,
        )  # fmt: skip
        spend = [credit(funds, Money(7_001, currency)), debit(cost, Money(7_001, currency))]
        for number in range(3):
            hold(key=f"{owner}:hold:{number}", lines=spend)
        settle(key=f"{owner}:settle", hold_key=f"{owner}:hold:0", lines=spend)
        release(key=f"{owner}:release", hold_key=f"{owner}:hold:1", memo="late")
        note(key=f"{owner}:note", account=funds, memo=NASTY)
        if owner == "alpha":
            reverse(key="undo", entry=first.entry)


def journal(path: Path, style: str, **narrowed: str) -> Path:
    path.write_text("\n".join(write(style, **narrowed)) + "\n")
    return path


def ours(accounts: Iterable[Account]) -> dict[str, Decimal]:
    """Every balance that is not zero, settled and held, in major units."""
    found = {}
    for row in Balance.objects.select_related("account").filter(account__in=accounts):
        for suffix, minor in (("", row.settled), (":held", row.held)):
            if minor:
                found[row.account.code + suffix] = Decimal(decimal_amount(minor, row.account.currency))
    return found


@pytest.mark.skipif(not shutil.which("hledger"), reason="hledger is not installed")
@pytest.mark.parametrize("narrowed", [{}, {"owner": "alpha"}, {"currency": "JPY"}])
def test_hledger_reckons_the_same_balances(month: None, tmp_path: Path, narrowed: dict[str, str]) -> None:
    path = journal(tmp_path / "ledger.journal", "hledger", **narrowed)
    done = subprocess.run(
        ["hledger", "-f", str(path), "balance", "--flat", "--no-total", "-O", "csv"],
        capture_output=True, text=True, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    theirs = {row["account"]: Decimal(row["balance"].split(" ")[0].replace(",", "")) for row in rows}
    assert theirs == ours(Account.objects.filter(**narrowed))
    assert theirs


@pytest.mark.parametrize("narrowed", [{}, {"owner": "psn b2b"}])
def test_beancount_reckons_the_same_balances(month: None, tmp_path: Path, narrowed: dict[str, str]) -> None:
    from beancount import loader
    from beancount.core import data, inventory

    path = journal(tmp_path / "ledger.beancount", "beancount", **narrowed)
    entries, errors, _ = loader.load_file(str(path))
    assert errors == []
    theirs: dict[str, inventory.Inventory] = {}
    for entry in entries:
        for posting in entry.postings if isinstance(entry, data.Transaction) else []:
            theirs.setdefault(posting.account, inventory.Inventory()).add_position(posting)
    codes = {beancount_name(account): account.code for account in Account.objects.all()}
    known = {
        codes[name.removesuffix(":Held")] + (":held" if name.endswith(":Held") else ""): position.units.number
        for name, found in theirs.items()
        for position in found
    }
    assert known == ours(Account.objects.filter(**narrowed))
    notes = [entry.comment for entry in entries if isinstance(entry, data.Note)]
    assert notes == ["memo " + " ".join(NASTY.split())] * (1 if narrowed else 3)


def test_a_journal_of_any_length_is_read_in_chunks(month: None, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(write("hledger"))
    monkeypatch.setattr("ledger.plaintext.CHUNK", 2)
    assert list(write("hledger")) == whole


def test_nothing_booked_is_an_empty_journal() -> None:
    assert list(write("hledger")) == list(write("beancount")) == []
