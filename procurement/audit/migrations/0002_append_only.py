"""Makes the database refuse to change or delete what happened."""

from typing import Any

from django.db import migrations

from ledger.guards import append_only_sql, drop_append_only_sql

TABLE = "audit_auditevent"


def guard(apps: Any, schema_editor: Any) -> None:
    for statement in append_only_sql(TABLE, schema_editor.connection.vendor):
        schema_editor.execute(statement)


def unguard(apps: Any, schema_editor: Any) -> None:
    for statement in drop_append_only_sql(TABLE, schema_editor.connection.vendor):
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [migrations.RunPython(guard, unguard)]
