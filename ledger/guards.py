# ruff: noqa: S608 (every name in these statements is a constant of this package)
"""Puts the ledger's rules, and append-only tables of any app, into the database as triggers on SQLite and PostgreSQL.

A migration that alters a ledger table calls `remove` first and `install` last: SQLite rebuilds a table without its
triggers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby

from django.apps.registry import Apps
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import RunPython

from ledger.rules import RULES, Rule

Keys = Sequence[Sequence[str]]


# Unique keys of the tables whose rows never change; SQLite's REPLACE would delete the row that has one of them.
APPEND_ONLY: dict[str, Keys] = {
    "ledger_account": (("id",), ("code",)),
    "ledger_entry": (("id",), ("key",), ("resolves_id",), ("reverses_id",)),
    "ledger_line": (("entry_id", "leg"), ("account_id", "seq")),
    "ledger_checkpoint": (("no",),),
    "ledger_checkpointhead": (("id",), ("account_id", "checkpoint_id")),
    "ledger_closing": (("id",), ("owner", "through")),
}
BALANCE_KEYS: Keys = (("account_id",),)

# Keys over two columns, which Django cannot declare, and the key that one of them points to; on SQLite, with its single
# writer, the rules are enough. They say more than Django's own keys over one, which only cost time beside them.
POSTGRESQL_KEYS = (
    "ALTER TABLE ledger_entry ADD CONSTRAINT ledger_entry_legs UNIQUE (id, legs)",
    "ALTER TABLE ledger_line ADD CONSTRAINT ledger_line_account_currency_fk FOREIGN KEY (account_id, currency)"
    " REFERENCES ledger_account (id, currency)",
    "ALTER TABLE ledger_line ADD CONSTRAINT ledger_line_entry_legs_fk FOREIGN KEY (entry_id, legs)"
    " REFERENCES ledger_entry (id, legs) DEFERRABLE INITIALLY DEFERRED",
)


def append_only_sql(table: str, vendor: str, *, keys: Keys = (("id",),), may_update: bool = False) -> list[str]:
    """Statements that make a table refuse UPDATE, DELETE, TRUNCATE and REPLACE; for any table, of any app.

    `keys` are its unique keys. On SQLite a repeated key is then an IntegrityError even under ON CONFLICT DO NOTHING.
    """
    events = ("DELETE",) if may_update else ("UPDATE", "DELETE")
    if vendor == "postgresql":
        return [
            _REFUSE_FUNCTION,
            *(_postgresql_refusal(table, event, "ROW") for event in events),
            _postgresql_refusal(table, "TRUNCATE", "STATEMENT"),
        ]
    taken = " OR ".join(
        f"EXISTS (SELECT 1 FROM {table} WHERE {' AND '.join(f'{column} = NEW.{column}' for column in key)})"
        for key in keys
    )
    refusals = [
        f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table}"
        f" BEGIN SELECT RAISE(ABORT, '{table} is append-only: {event} refused'); END"
        for event in events
    ]
    return [
        *refusals,
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {taken}"
        f" BEGIN SELECT RAISE(ABORT, '{table} is append-only: this key is taken'); END",
    ]


def drop_append_only_sql(table: str, vendor: str) -> list[str]:
    """Statements that undo `append_only_sql`; the function that PostgreSQL's triggers share stays."""
    where = f" ON {table}" if vendor == "postgresql" else ""
    return [
        f"DROP TRIGGER IF EXISTS {table}_no_{event}{where}" for event in ("update", "delete", "truncate", "replace")
    ]


_REFUSE_FUNCTION = """
CREATE OR REPLACE FUNCTION append_only_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
    MESSAGE = TG_TABLE_NAME || ' is append-only: ' || TG_OP || ' refused';
END $$
"""


def _postgresql_refusal(table: str, event: str, level: str) -> str:
    return (
        f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table}"
        f" FOR EACH {level} EXECUTE FUNCTION append_only_refuse()"
    )


def rules_sql(table: str, event: str, vendor: str) -> list[str]:
    """Statements for one trigger that checks every rule of a table and event."""
    rules = [rule for rule in RULES if (rule.table, rule.event) == (table, event) and vendor in rule.vendors]
    name = f"{table}_{event.lower()}_rules"
    if vendor == "postgresql":
        judged = "\n".join(
            _judged(list(together), when) for when, together in groupby(rules, key=lambda rule: rule.when)
        )
        return [
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$"
            f" DECLARE broken text;\nBEGIN\n{judged}\nRETURN NEW; END $$",
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
        ]
    checks = "\n".join(
        f"SELECT RAISE(ABORT, 'ledger rule {rule.name}: {rule.says}')"
        f" WHERE {rule.when or '1'} AND ({rule.broken.replace('{isnt}', 'IS NOT')});"
        for rule in rules
    )
    return [f"CREATE TRIGGER {name} BEFORE {event} ON {table} BEGIN\n{checks}\nEND"]


def _judged(rules: Sequence[Rule], when: str) -> str:
    """One expression and not a statement for each rule: a statement costs as much as what it looks up."""
    cases = "\n".join(
        f"WHEN {rule.broken.replace('{isnt}', 'IS DISTINCT FROM')} THEN '{rule.name}: {rule.says}'" for rule in rules
    )
    judged = (
        f"broken := CASE\n{cases}\nEND;\nIF broken IS NOT NULL THEN RAISE EXCEPTION 'ledger rule %', broken"
        " USING ERRCODE = 'integrity_constraint_violation'; END IF;"
    )
    return f"IF {when} THEN\n{judged}\nEND IF;" if when else judged


def _rule_triggers() -> list[tuple[str, str]]:
    return list(dict.fromkeys((rule.table, rule.event) for rule in RULES))


def install(connection: BaseDatabaseWrapper) -> None:
    """Create every guard of the ledger; call `remove` first if some may be there."""
    statements = [
        sql for table, keys in APPEND_ONLY.items() for sql in append_only_sql(table, connection.vendor, keys=keys)
    ]
    statements += append_only_sql("ledger_balance", connection.vendor, keys=BALANCE_KEYS, may_update=True)
    statements += [sql for table, event in _rule_triggers() for sql in rules_sql(table, event, connection.vendor)]
    _run(connection, statements)


def remove(connection: BaseDatabaseWrapper) -> None:
    """Drop every guard of the ledger, so that a migration can rebuild its tables."""
    statements = [
        sql for table in (*APPEND_ONLY, "ledger_balance") for sql in drop_append_only_sql(table, connection.vendor)
    ]
    for table, event in _rule_triggers():
        name = f"{table}_{event.lower()}_rules"
        if connection.vendor == "postgresql":
            statements += [f"DROP TRIGGER IF EXISTS {name} ON {table}", f"DROP FUNCTION IF EXISTS {name}()"]
        else:
            statements.append(f"DROP TRIGGER IF EXISTS {name}")
    _run(connection, statements)


def missing(connection: BaseDatabaseWrapper) -> list[str]:
    """Names of guards that are not in the database, or are switched off."""
    last = "truncate" if connection.vendor == "postgresql" else "replace"
    expected = {f"{table}_no_{event}" for table in APPEND_ONLY for event in ("update", "delete", last)}
    expected |= {f"ledger_balance_no_{event}" for event in ("delete", last)}
    expected |= {f"{table}_{event.lower()}_rules" for table, event in _rule_triggers()}
    return sorted(expected - {name for name, _, _ in _triggers(connection)})


@contextmanager
def lifted(connection: BaseDatabaseWrapper, only: Collection[str] | None = None) -> Iterator[None]:
    """Switch off every trigger of the database, of any app, or of the tables in `only`, and on again afterwards.

    Only for emptying a test database: it takes DELETE, which is what the guards refuse.
    """
    found = [one for one in _triggers(connection) if only is None or one[1] in only]
    tables = sorted({table for _, table, _ in found})
    if connection.vendor == "postgresql":
        down = [f'ALTER TABLE "{table}" DISABLE TRIGGER USER' for table in tables]
        up = [f'ALTER TABLE "{table}" ENABLE TRIGGER USER' for table in tables]
    else:
        down = [f'DROP TRIGGER "{name}"' for name, _, _ in found]
        up = [sql for _, _, sql in found]
    _run(connection, down)
    try:
        yield
    finally:
        _run(connection, up)


def widen_keys(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Migration step: on PostgreSQL a line's account and entry are checked by keys over two columns, not by Django's over one."""
    if schema_editor.connection.vendor == "postgresql":
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(
                "SELECT conname FROM pg_constraint WHERE conrelid = 'ledger_line'::regclass AND contype = 'f'"
                " AND cardinality(conkey) = 1"
            )
            narrow = [f'ALTER TABLE ledger_line DROP CONSTRAINT "{name}"' for (name,) in cursor.fetchall()]
        _run(schema_editor.connection, [*narrow, *POSTGRESQL_KEYS])


def append_only(table: str, *, keys: Keys = (("id",),), may_update: bool = False) -> RunPython:
    """Migration operation around `append_only_sql`, for any table of any app."""

    def guard(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
        connection = schema_editor.connection
        _run(connection, append_only_sql(table, connection.vendor, keys=keys, may_update=may_update))

    def unguard(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
        _run(schema_editor.connection, drop_append_only_sql(table, schema_editor.connection.vendor))

    return RunPython(guard, unguard)


def install_guards(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Last step of a migration that alters a ledger table."""
    install(schema_editor.connection)


def remove_guards(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """First step of a migration that alters a ledger table."""
    remove(schema_editor.connection)


def _triggers(connection: BaseDatabaseWrapper) -> list[tuple[str, str, str]]:
    """(name, table, statement that makes it) of each active trigger; the statement is empty on PostgreSQL."""
    sql = "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'"
    if connection.vendor == "postgresql":
        sql = (
            "SELECT t.tgname, c.relname, '' FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND n.nspname = current_schema()"
        )
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def _run(connection: BaseDatabaseWrapper, statements: Sequence[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
