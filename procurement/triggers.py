"""Rules of our tables, written once and put into SQLite and PostgreSQL as triggers: they hold for the shell and for raw SQL.

In a rule, {isnt} is "differs, NULL included", {uuid:x} the key that a text names, {json:x,name} a number in a JSON column.
A migration that alters a table which a rule is about, or reads, calls `remover` first and `installer` last: SQLite rebuilds
a table without its triggers, and refuses to while another trigger reads it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.apps.registry import Apps
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

Step = Callable[[Apps, BaseDatabaseSchemaEditor], None]
MACRO = re.compile(r"\{(isnt|uuid|json)(?::([^},]+)(?:,([^}]+))?)?\}")
WORDS = {
    "postgresql": {"isnt": "IS DISTINCT FROM", "uuid": "CAST({0} AS uuid)", "json": "CAST({0} ->> '{1}' AS bigint)"},
    "sqlite": {"isnt": "IS NOT", "uuid": "REPLACE({0}, '-', '')", "json": "json_extract({0}, '$.{1}')"},
}


@dataclass(frozen=True)
class Rule:
    """On `event` (INSERT, UPDATE, DELETE) of a row of `table`: refused where `broken` is true of OLD and NEW."""

    table: str
    event: str
    broken: str
    says: str

    def condition(self, vendor: str) -> str:
        return MACRO.sub(lambda found: WORDS[vendor][found[1]].format(found[2], found[3]), self.broken)


def never_changes(table: str, *columns: str, says: str) -> Rule:
    """These columns keep the value they were stored with."""
    return Rule(table, "UPDATE", " OR ".join(f"NEW.{column} {{isnt}} OLD.{column}" for column in columns), says)


def never_deleted(table: str) -> tuple[Rule, ...]:
    """Rows stay; SQLite's REPLACE would delete the row whose key it takes."""
    return (
        Rule(table, "DELETE", "1 = 1", "it stays on record"),
        Rule(table, "INSERT", f"EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)", "this key is taken"),  # noqa: S608
    )


def no_settled_role(*names: str) -> str:
    """Whether who decides holds none of these roles for a day: one given just now is no second pair of eyes."""
    named = ", ".join(f"'{name}'" for name in names)
    return (
        "NOT EXISTS (SELECT 1 FROM staff_rolegrant held WHERE held.user_id = NEW.decided_by_id"  # noqa: S608
        f" AND held.role IN ({named}) AND held.revoked_at IS NULL AND held.settled_at <= NEW.decided_at)"
    )


def installer(rules: Sequence[Rule]) -> Step:
    """Migration step: one trigger for each table and event of `rules`."""

    def install(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
        vendor = schema_editor.connection.vendor
        for table, event in dict.fromkeys((rule.table, rule.event) for rule in rules):
            here = [rule for rule in rules if (rule.table, rule.event) == (table, event)]
            for statement in statements(table, event, here, vendor):
                schema_editor.execute(statement, params=None)

    return install


def remover(rules: Sequence[Rule]) -> Step:
    """Migration step: the way back from `installer`, and the first step of a migration that alters these tables."""

    def remove(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
        for table, event in dict.fromkeys((rule.table, rule.event) for rule in rules):
            on = f" ON {table}" if schema_editor.connection.vendor == "postgresql" else ""
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name_of(table, event)}{on}")

    return remove


def name_of(table: str, event: str) -> str:
    return f"{table}_{event.lower()}_rules"


def statements(table: str, event: str, rules: Sequence[Rule], vendor: str) -> list[str]:
    name = name_of(table, event)
    if vendor == "postgresql":
        checks = "\n".join(
            f"IF ({rule.condition(vendor)}) THEN RAISE EXCEPTION '{table}: {rule.says}'"
            " USING ERRCODE = 'integrity_constraint_violation'; END IF;"
            for rule in rules
        )
        kept = "OLD" if event == "DELETE" else "NEW"
        return [
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$"
            f" BEGIN\n{checks}\nRETURN {kept}; END $$",
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
        ]
    checks = "\n".join(f"SELECT RAISE(ABORT, '{table}: {rule.says}') WHERE {rule.condition(vendor)};" for rule in rules)
    return [f"CREATE TRIGGER {name} BEFORE {event} ON {table} BEGIN\n{checks}\nEND"]
