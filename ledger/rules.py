# ruff: noqa: S608 (constants only)
"""What must never be true of a row: the database refuses it, whoever sends the statement. `guards.py` installs these.

Both engines get the same text. Lines are written first, the header last: when the header arrives, its lines are
complete and are judged together, and from then on no line can join them.
"""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """`broken` is true for a row that must be refused; `{isnt}` is the engine's null-safe "differs from"."""

    name: str
    table: str
    event: str
    broken: str
    says: str
    vendors: tuple[str, ...] = ("sqlite", "postgresql")
    # Only rows for which this is true are judged; few are, and the others pay nothing for it.
    when: str = ""


SETTLED = "(NEW.settled_after - CASE NEW.layer WHEN 'settled' THEN NEW.amount ELSE 0 END)"
HELD = "(NEW.held_after - CASE NEW.layer WHEN 'held' THEN NEW.amount ELSE 0 END)"
ORIGINAL = "SELECT 1 FROM ledger_line o WHERE o.entry_id = NEW.{link}"
INVERSE = (
    "SELECT 1 FROM ledger_line n WHERE n.entry_id = NEW.id AND n.leg = o.leg"
    " AND n.account_id = o.account_id AND n.layer = o.layer AND n.amount = -o.amount"
)
DATED = "its id does not begin with the time at which it was recorded"

RULES = (
    Rule(
        "late_line", "ledger_line", "INSERT",
        "EXISTS (SELECT 1 FROM ledger_entry WHERE id = NEW.entry_id)",
        "the entry is already written; book a new one",
        # PostgreSQL has the keys of an entry's lines for that: (entry, leg), leg <= legs and (entry, legs).
        ("sqlite",),
    ),
    Rule(
        "account_currency", "ledger_line", "INSERT",
        "NOT EXISTS (SELECT 1 FROM ledger_account WHERE id = NEW.account_id AND currency = NEW.currency)",
        "the line has another currency than its account",
        ("sqlite",),
    ),
    Rule(
        "whole_units", "ledger_line", "INSERT",
        "typeof(NEW.amount) <> 'integer' OR typeof(NEW.settled_after) <> 'integer'"
        " OR typeof(NEW.held_after) <> 'integer'",
        "amounts are whole minor units",
        ("sqlite",),
    ),
    Rule(
        "running_balance", "ledger_line", "INSERT",
        f"NOT CASE NEW.seq WHEN 1 THEN {SETTLED} = 0 AND {HELD} = 0 ELSE EXISTS (SELECT 1 FROM ledger_line"
        f" WHERE account_id = NEW.account_id AND seq = NEW.seq - 1 AND settled_after = {SETTLED} AND held_after = {HELD}"
        " AND entry_id <= NEW.entry_id) END",
        "the line does not continue its account",
    ),
    Rule(
        "chained", "ledger_line", "INSERT",
        "length(NEW.hash) <> 32",
        "the line carries no hash of 32 bytes",
    ),
    Rule(
        "dated_id", "ledger_entry", "INSERT",
        "substr(NEW.id, 1, 16) <> printf('%012x7%03x', 1000 * strftime('%s', substr(NEW.recorded_at, 1, 19))"
        " + CAST(substr(NEW.recorded_at, 21) AS integer) / 1000, CAST(substr(NEW.recorded_at, 21) AS integer) % 1000)",
        DATED,
        ("sqlite",),
    ),
    Rule(
        "dated_id", "ledger_entry", "INSERT",
        "left(translate(CAST(NEW.id AS text), '-', ''), 16) <> lpad(to_hex(CAST(floor(EXTRACT(epoch FROM NEW.recorded_at) * 1000)"
        " AS bigint)), 12, '0') || '7' || lpad(to_hex(CAST(EXTRACT(microseconds FROM NEW.recorded_at) AS bigint) % 1000), 3, '0')",
        DATED,
        ("postgresql",),
    ),
    Rule(
        "all_legs", "ledger_entry", "INSERT",
        "(SELECT count(*) FROM ledger_line WHERE entry_id = NEW.id) <> NEW.legs OR EXISTS (SELECT 1 FROM ledger_line"
        " WHERE entry_id = NEW.id AND legs <> NEW.legs)",
        "the entry does not have the lines it states",
    ),
    Rule(
        "zero_sum", "ledger_entry", "INSERT",
        "EXISTS (SELECT 1 FROM ledger_line WHERE entry_id = NEW.id GROUP BY currency, layer HAVING sum(amount) <> 0)",
        "debits and credits differ",
    ),
    Rule(
        "balance_booked", "ledger_entry", "INSERT",
        "EXISTS (SELECT 1 FROM ledger_line l LEFT JOIN ledger_balance b ON b.account_id = l.account_id"
        " WHERE l.entry_id = NEW.id AND COALESCE(b.seq, 0) < l.seq)",
        "a line is missing from the balance of its account",
    ),
    Rule(
        "pure_hold", "ledger_entry", "INSERT",
        "NEW.resolves_id IS NULL AND EXISTS (SELECT 1 FROM ledger_line WHERE entry_id = NEW.id AND layer = 'held')"
        " AND EXISTS (SELECT 1 FROM ledger_line WHERE entry_id = NEW.id AND layer <> 'held')",
        "a hold moves held money only",
    ),
    Rule(
        "ends_its_hold", "ledger_entry", "INSERT",
        "EXISTS (SELECT 1 FROM ledger_entry WHERE id = NEW.resolves_id AND resolves_id IS NOT NULL)"
        f" OR EXISTS ({ORIGINAL.format(link='resolves_id')} AND (o.layer <> 'held' OR NOT EXISTS ({INVERSE})))"
        " OR (SELECT count(*) FROM ledger_line WHERE entry_id = NEW.id AND layer = 'held')"
        " <> (SELECT count(*) FROM ledger_line WHERE entry_id = NEW.resolves_id)",
        "it does not release exactly the hold it resolves",
        when="NEW.resolves_id IS NOT NULL",
    ),
    Rule(
        "inverts_its_entry", "ledger_entry", "INSERT",
        "EXISTS (SELECT 1 FROM ledger_entry WHERE id = NEW.reverses_id AND (reverses_id IS NOT NULL OR legs <> NEW.legs))"
        f" OR EXISTS ({ORIGINAL.format(link='reverses_id')} AND (o.layer <> 'settled' OR NOT EXISTS ({INVERSE})))",
        "it does not invert the entry it reverses",
        when="NEW.reverses_id IS NOT NULL",
    ),
    Rule(
        "closed_books", "ledger_entry", "INSERT",
        "EXISTS (SELECT 1 FROM ledger_line l JOIN ledger_account a ON a.id = l.account_id"
        " JOIN ledger_closing c ON c.owner = a.owner WHERE l.entry_id = NEW.id AND c.through >= NEW.effective_on)",
        "the books are closed for that day",
    ),
    Rule(
        "no_gap", "ledger_checkpoint", "INSERT",
        "NEW.no > 1 AND NOT EXISTS (SELECT 1 FROM ledger_checkpoint WHERE no = NEW.no - 1 AND hash = NEW.previous)",
        "the checkpoint does not follow the one before it",
    ),
    Rule(
        "in_order", "ledger_closing", "INSERT",
        "EXISTS (SELECT 1 FROM ledger_closing WHERE owner = NEW.owner AND through >= NEW.through)",
        "a later day is closed already",
    ),
    Rule(
        "starts_empty", "ledger_balance", "INSERT",
        "NEW.settled <> 0 OR NEW.held <> 0 OR NEW.seq <> 0 OR NEW.last_id IS NOT NULL",
        "a balance starts at zero",
    ),
    Rule(
        "fixed_floor", "ledger_balance", "UPDATE",
        "NEW.account_id <> OLD.account_id OR NEW.floor {isnt} OLD.floor",
        "the account and floor of a balance are fixed",
    ),
    Rule(
        "follows_lines", "ledger_balance", "UPDATE",
        "(NEW.settled <> OLD.settled OR NEW.held <> OLD.held OR NEW.seq <> OLD.seq OR NEW.head <> OLD.head"
        " OR NEW.last_id {isnt} OLD.last_id)"
        " AND (NEW.seq <= OLD.seq OR NOT EXISTS (SELECT 1 FROM ledger_line"
        " WHERE account_id = NEW.account_id AND seq = NEW.seq"
        " AND settled_after = NEW.settled AND held_after = NEW.held AND hash = NEW.head"
        " AND entry_id = NEW.last_id))",
        "a balance only follows the lines of its account",
    ),
)  # fmt: skip
