"""A ledger goes as a file to another database, and arrives as it was or not at all."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from io import BytesIO, StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

import ledger
from ledger import chain, guards
from ledger.checkpoints import last_checkpoint
from ledger.closing import close_books, closed_through
from ledger.errors import BadFile
from ledger.exporting import export
from ledger.importing import load
from ledger.management.commands import import_ledger
from ledger.models import Account, Balance, Checkpoint, CheckpointHead, Closing, Entry, Line, time_of
from ledger.queries import balance
from ledger.records import SHAPES
from ledger.rows import Header
from ledger.services import Posted, open_account
from ledger.verifying import Finding, Report, verify
from tests.ledger import test_plaintext
from tests.ledger.conftest import deposit, open_books
from tests.ledger.history import History
from tests.ledger.test_concurrency import at_once
from tests.ledger.test_history import LAST_OF_SEED_1

pytestmark = pytest.mark.django_db
# Three owners and currencies, and words that any program would stumble over.
month = test_plaintext.month
TABLES = (Closing, CheckpointHead, Checkpoint, Line, Entry, Balance, Account)
ALONE = Path(ledger.__file__).with_name("verify_export.py")
# The file that either database writes of the history of seed 1.
SHA256_OF_SEED_1 = "4ce7737d0154122cd74a1ad5077df201625aa273db74c829bb100da94796809e"
Change = Callable[[list[Any]], object]


def empty() -> None:
    """As after `migrate`."""
    connection.check_constraints()
    with guards.lifted(connection):
        for model in TABLES:
            model._default_manager.all()._raw_delete("default")
        connection.check_constraints()


def is_empty() -> bool:
    return not any(model._default_manager.exists() for model in TABLES)


@pytest.fixture(scope="module")
def exported(django_db_setup: None, django_db_blocker: Any) -> list[str]:
    """The history of seed 1, with closed books, as a file."""
    with django_db_blocker.unblock(), transaction.atomic():
        History(1).run(400, check_every=100)
        with time_machine.travel(datetime(2026, 2, 1, tzinfo=UTC), tick=False):
            close_books(owner="alpha", through=date(2026, 1, 1), closed_by="fay", reviewed_by="max")
        lines = list(export())
        transaction.set_rollback(True)
    return lines


def written(records: list[Any], digest: bool = True) -> list[str]:
    """The lines of these records, with the last one's digest made to fit."""
    lines = [json.dumps(record, separators=(",", ":")) for record in records]
    if digest:
        whole = "".join(f"{line}\n" for line in lines[:-1])
        lines[-1] = json.dumps(
            records[-1] | {"sha256": hashlib.sha256(whole.encode()).hexdigest()}, separators=(",", ":")
        )
    return lines


def rehashed(records: list[Any]) -> list[Any]:
    """Forge the hash of every line, as somebody with time can; the checkpoints are left out."""
    kept = [record for record in records if not {"checkpoint", "closing"} & record.keys()]
    pots: dict[str, list[Any]] = {
        record["account"]: [record["currency"], 0, 0, 0, chain.GENESIS] for record in kept if "account" in record
    }
    for record in kept:
        if "entry" not in record:
            continue
        header = header_of(record)
        for leg, line in enumerate(record["lines"], start=1):
            pot = pots[line[0]]
            pot[1] += 1
            pot[2] += line[2] if line[1] == "settled" else 0
            pot[3] += line[2] if line[1] == "held" else 0
            pot[4] = chain.link(pot[4], header, leg, line[0], pot[0], line[1], line[2], *pot[1:4])
            line[3] = pot[4].hex()
    kept[-1] |= {"checkpoints": 0, "closings": 0, "last_checkpoint": None}
    return kept


def header_of(record: dict[str, Any]) -> bytes:
    read = {name: SHAPES["entry"][name](value) for name, value in record.items() if name != "lines"}
    return chain.header_bytes(
        *Header(
            read["entry"], read["key"], read["fingerprint"], read["kind"], read["effective_on"], time_of(read["entry"]),
            read["reference_kind"], read["reference_id"], read["memo"], read["actor"], len(record["lines"]),
            read["resolves"], read["reverses"],
        )
    )  # fmt: skip


def alone(lines: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """What the verifier says that has only the file."""
    path = folder / "ledger.json"
    path.write_text("".join(f"{line}\n" for line in lines))
    return subprocess.run([sys.executable, "-I", str(ALONE), str(path)], capture_output=True, text=True, check=False)


def test_a_history_arrives_as_it_was(exported: list[str], tmp_path: Path) -> None:
    heard: list[int] = []
    counted = load(exported, heard.append)
    last = last_checkpoint()
    assert last
    assert bytes(last.hash).hex() == LAST_OF_SEED_1 == counted["last_checkpoint"]
    report = verify()
    assert (report.findings, report.lines) == ([], counted["lines"])
    connection.check_constraints()
    assert guards.missing(connection) == []
    assert list(export()) == exported
    assert heard == [Entry.objects.count()] == [counted["entries"]]
    assert closed_through("alpha") == date(2026, 1, 1)
    said = alone(exported, tmp_path)
    assert (said.returncode, said.stderr) == (0, "")
    assert (
        said.stdout
        == f"{counted['entries']:,} entries, {counted['lines']:,} lines hold; last checkpoint {LAST_OF_SEED_1}\n"
    )


def test_either_database_writes_the_same_file(exported: list[str]) -> None:
    assert hashlib.sha256("".join(f"{line}\n" for line in exported).encode()).hexdigest() == SHA256_OF_SEED_1


def test_every_character_currency_and_chunk_arrives(
    month: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines = list(export())
    monkeypatch.setattr("ledger.exporting.CHUNK", 2)
    assert list(export()) == lines
    empty()
    monkeypatch.setattr("ledger.importing.CHUNK", 2)
    load([f"{line}\r\n".encode() for line in lines])
    assert list(export()) == lines
    assert verify().findings == []
    assert alone(lines, tmp_path).stdout.endswith("lines hold; last checkpoint none\n")


def test_what_was_imported_goes_on(month: None) -> None:
    lines = list(export())
    before = balance("alpha:USD:funds")
    empty()
    load(lines)
    assert balance("alpha:USD:funds") == before
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        Entry.objects.update(memo="forged")


def test_nothing_booked_is_a_file_too(tmp_path: Path) -> None:
    lines = list(export())
    assert len(lines) == 2
    load(lines)
    assert is_empty()
    assert alone(lines, tmp_path).stdout == "0 entries, 0 lines hold; last checkpoint none\n"


def test_a_ledger_with_books_takes_no_other(exported: list[str]) -> None:
    open_account(code="beta:funds", name="Beta", currency="USD", role="funds")
    with pytest.raises(BadFile, match="This ledger is not empty"):
        load(exported)
    assert (Account.objects.count(), Entry.objects.count()) == (1, 0)


def first(records: list[Any], kind: str, nth: int = 0) -> Any:
    return [record for record in records if kind in record and next(iter(record)) == kind][nth]


def at(records: list[Any], kind: str, nth: int = 0) -> int:
    return records.index(first(records, kind, nth))


def change(kind: str, nth: int = 0, **values: Any) -> Change:
    return lambda records: first(records, kind, nth).update(values)


def line_of(nth: int, place: int, value: Any) -> Change:
    def apply(records: list[Any]) -> None:
        first(records, "entry", nth)["lines"][0][place] = value

    return apply


def swap(records: list[Any]) -> None:
    one, other = at(records, "entry", 5), at(records, "entry", 6)
    records[one], records[other] = records[other], records[one]


BAD: dict[str, tuple[Change, str]] = {
    "another version": (lambda r: r[0].update(version=2), "Line 1: this is no ledger, or one in another format"),
    "no header": (lambda r: r.pop(0), "Line 1: this is no ledger"),
    "cut": (lambda r: r.pop(), "the file ends before its last line"),
    "goes on": (lambda r: r.append(r[-1]), "the file goes on after its last line"),
    "a count": (change("end", entries=1), "the last line does not fit those before it: entries 1, and the file has"),
    "a lost closing": (lambda r: r.pop(at(r, "closing")), "closings 1, and the file has 0"),
    "another last checkpoint": (change("end", last_checkpoint="ab" * 32), "last_checkpoint abab"),
    "more in the end": (change("end", more=1), "more 1, and the file has None"),
    "unknown account": (line_of(3, 0, "nobody"), "there is no account nobody"),
    "unknown account in a checkpoint": (lambda r: first(r, "checkpoint")["heads"][0].__setitem__(0, "x"), "there is no account x"),
    "an account twice": (lambda r: r.insert(2, r[1]), "Line 3: the database does not take this account"),
    "an account late": (lambda r: r.insert(at(r, "entry", 3), r[1]), "'account' does not stand here"),
    "another kind": (lambda r: r.insert(2, {"user": "sam"}), "Line 3: 'user' does not stand here"),
    "an amount": (line_of(3, 2, 12), "the hash of line 1 is another one"),
    "a word": (change("entry", 3, memo="forged"), "the hash of line 1 is another one"),
    "a hash": (line_of(3, 3, "ab" * 32), "the hash of line 1 is another one"),
    "a removed entry": (lambda r: r.pop(at(r, "entry", 3)), "is another one"),
    "a swapped order": (swap, "is another one"),
    "an entry twice": (lambda r: r.insert(at(r, "entry", 3), first(r, "entry", 3)), "out of order, or twice"),
    "a float": (line_of(3, 2, 12.0), "'lines' of this entry cannot be read (an amount is whole minor units"),
    "true": (line_of(3, 2, True), "an amount is whole minor units"),
    "too large an amount": (line_of(3, 2, 10**18), "an amount is whole minor units"),
    "a layer": (line_of(3, 1, "open"), "'open' is not a valid Layer"),
    "a list for a code": (line_of(3, 0, []), "it is a text"),
    "no lines": (change("entry", 3, lines=[]), "at least one"),
    "an id": (change("entry", 3, entry="1"), "'entry' of this entry cannot be read"),
    "an id beyond all years": (change("entry", -1, entry="f" * 32), "cannot be reckoned"),
    "a day": (change("entry", 3, effective_on="2026-02-30"), "'effective_on' of this entry cannot be read"),
    "a number for a day": (change("entry", 3, effective_on=7), "'effective_on' of this entry cannot be read"),
    "half a character": (change("entry", 3, memo="\ud800"), "'memo' of this entry cannot be read"),
    "a character 0": (change("account", name="\0"), "not every database keeps a character 0"),
    "a long key": (change("entry", 3, key="k" * 201), "up to 200 characters"),
    "a field less": (lambda r: first(r, "entry", 3).pop("actor"), "this entry has other fields than entry, key"),
    "a currency": (change("account", currency="usd"), "'usd' is not a currency code"),
    "another currency": (change("account", currency="EUR"), "is another one"),
    "a floor above zero": (change("account", floor=1), "the database does not take this account"),
    "another floor": (change("account", 2, floor=0), "below its floor"),
    "a checkpoint's hash": (change("checkpoint", hash="ab" * 32), "checkpoint 1 has another hash than what it covers gives"),
    "a removed checkpoint": (lambda r: r.pop(at(r, "checkpoint", 1)), "has another hash than what it covers gives"),
    "a checkpoint that is not there": (change("closing", checkpoint=99), "there is no checkpoint 99"),
    "one person's closing": (change("closing", closed_by="one", reviewed_by="one"), "the database does not take this closing"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_by_its_line_and_leaves_nothing(exported: list[str], name: str) -> None:
    spoil, says = BAD[name]
    records = [json.loads(line) for line in exported]
    spoil(records)
    with pytest.raises(BadFile) as refusal:
        load(written(records, digest="end" in records[-1]))
    sentence = refusal.value.sentence
    assert sentence.startswith("Line ")
    assert says in sentence
    assert ". Nothing was imported. " in sentence
    assert is_empty()


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([], "Line 1: the file ends before its last line"),
        (["not JSON"], "Line 1: this is not JSON"),
        (["[1]"], "Line 1: this is not a JSON object"),
        ([b"\xff\xfe"], "Line 1: this is not JSON"),
        (["[" * 100_000], "Line 1: this is not JSON"),
        (['{"format": "ledger", "version": 1, "version": 1}'], "a name stands in it twice"),
        (['{"format": "ledger", "version": 1}', "{}"], "Line 2: '' does not stand here"),
    ],
)
def test_what_is_no_export_is_refused(lines: list[str | bytes], says: str) -> None:
    with pytest.raises(BadFile, match=says):
        load(lines)
    assert is_empty()


def test_a_byte_that_no_hash_covers_is_missed_by_the_file_s_own(exported: list[str]) -> None:
    lines = [line.replace('"name":"Alpha cost"', '"name":"Alpha c0st"') for line in exported]
    with pytest.raises(BadFile, match="are not those that were written"):
        load(lines)
    assert is_empty()


def unbalance(records: list[Any]) -> None:
    first(records, "entry", 3)["lines"][0][2] += 1


def repeat_a_key(records: list[Any]) -> None:
    first(records, "entry", 7)["key"] = first(records, "entry", 3)["key"]


def nothing_moved(records: list[Any]) -> None:
    for line in first(records, "entry", 3)["lines"]:
        line[2] = 0


def end_nothing(records: list[Any]) -> None:
    first(records, "entry", 0)["reverses"] = "0" * 31 + "1"


def hide_the_time(records: list[Any]) -> None:
    record = first(records, "entry", 3)
    record["entry"] = record["entry"][:12] + "4" + record["entry"][13:]


@pytest.mark.parametrize(
    ("forge", "says"),
    [
        (unbalance, "the database does not take this entry (ledger rule zero_sum: debits and credits differ)"),
        (repeat_a_key, "the database does not take this entry ("),
        (nothing_moved, "the database does not take this entry ("),
        (hide_the_time, "its id does not begin with the time"),
        (end_nothing, "that this one ends or reverses is not in the file"),
    ],
)
def test_a_forged_file_still_meets_every_rule(exported: list[str], forge: Change, says: str) -> None:
    """Every hash fits; what the database refuses is named by its line all the same."""
    records = [json.loads(line) for line in exported]
    forge(records)
    forged = rehashed(records)
    with pytest.raises(BadFile) as refusal:
        load(written(forged))
    assert says in refusal.value.sentence
    nth = 7 if forge is repeat_a_key else 0 if forge is end_nothing else 3
    number = at(forged, "entry", nth) + 1
    assert refusal.value.sentence.startswith(f"Line {number}: ")
    assert is_empty()


def test_a_forged_file_that_holds_is_not_the_one_the_checkpoints_cover(exported: list[str], tmp_path: Path) -> None:
    """The entries of a shorter history under the checkpoints of the whole one."""
    records = [json.loads(line) for line in exported]
    last = at(records, "entry", -1)
    shorter = [*records[: last - 3], *records[last + 1 :]]
    lost = records[last - 3 : last + 1]
    shorter[-1]["entries"] -= len(lost)
    shorter[-1]["lines"] -= sum(len(record["lines"]) for record in lost)
    with pytest.raises(BadFile, match="covers another line"):
        load(written(shorter))
    assert is_empty()
    said = alone(written(shorter), tmp_path)
    assert (said.returncode, said.stdout) == (1, "")
    assert "missing is what a checkpoint covers" in said.stderr


@pytest.mark.parametrize(
    "name", ["an amount", "a removed entry", "a swapped order", "cut", "a word", "a count", "a checkpoint's hash", "another floor",
             "a float", "a layer", "an id", "another version", "goes on", "a removed checkpoint", "unknown account"]
)  # fmt: skip
def test_the_verifier_that_has_only_the_file_finds_the_same(exported: list[str], tmp_path: Path, name: str) -> None:
    records = [json.loads(line) for line in exported]
    BAD[name][0](records)
    lines = written(records, digest="end" in records[-1])
    with pytest.raises(BadFile) as refusal:
        load(lines)
    said = alone(lines, tmp_path)
    assert (said.returncode, said.stdout) == (1, "")
    assert "Traceback" not in said.stderr
    assert said.stderr.startswith(refusal.value.sentence.split(":")[0] + " does not hold: ")


def test_the_commands(month: None, tmp_path: Path) -> None:
    path, out, told = tmp_path / "ledger.json", StringIO(), StringIO()
    with path.open("w") as file:
        call_command("export_ledger", "json", stdout=file)
    with pytest.raises(CommandError, match="Leave out --owner"):
        call_command("export_ledger", "json", "--owner", "alpha")
    with pytest.raises(CommandError, match="not empty"):
        call_command("import_ledger", str(path))
    entries = Entry.objects.count()
    empty()
    call_command("import_ledger", str(path), stdout=out, stderr=told)
    assert f"Imported 9 accounts, {entries} entries, " in out.getvalue()
    assert "There is no checkpoint yet." in out.getvalue()
    assert "Reading all of it again" in told.getvalue()
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_ledger", str(tmp_path / "none"))


def test_what_does_not_verify_is_not_imported(month: None, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = BytesIO("\n".join(export()).encode())
    empty()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=whole))
    monkeypatch.setattr(import_ledger, "verify", lambda: Report(findings=[Finding("alpha", 1, "was changed")]))
    with pytest.raises(CommandError, match="1 findings"):
        call_command("import_ledger", "-", stdout=StringIO(), stderr=StringIO())
    assert is_empty()
    whole.seek(0)
    call_command("import_ledger", "-", "--no-verify", stdout=StringIO(), stderr=StringIO())
    assert Account.objects.count() == 9


@pytest.mark.django_db(transaction=True)
def test_an_export_is_of_one_moment_and_keeps_nobody_waiting() -> None:
    open_books()
    deposit(100)
    lines = export()
    begun = [next(lines), next(lines)]
    late = at_once(lambda number: deposit(200, f"late:{number}"), times=2)
    assert all(isinstance(posted, Posted) for posted in late), late
    end = json.loads([*begun, *lines][-1])
    assert (end["entries"], end["lines"], Entry.objects.count()) == (1, 2, 3)
