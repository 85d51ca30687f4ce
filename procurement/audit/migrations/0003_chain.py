"""Authenticates every event and makes room for the chain over them."""

import uuid

import django.db.models.deletion
from django.db import migrations, models

from ledger.guards import append_only_sql, drop_append_only_sql
from procurement.audit.chain import event_bytes
from procurement.vault import Purpose, authenticate

EVENTS, LINKS = "audit_auditevent", "audit_auditlink"
KEYS = {EVENTS: (("id",), ("uid",)), LINKS: (("seq",), ("event_id",))}


def lift(apps, schema_editor):
    for statement in drop_append_only_sql(EVENTS, schema_editor.connection.vendor):
        schema_editor.execute(statement)


def fill(apps, schema_editor):
    for event in apps.get_model("audit", "AuditEvent").objects.order_by("pk").iterator(2000):
        event.uid = uuid.uuid4()
        event.mac = authenticate(event_bytes(event), purpose=Purpose.AUDIT_MAC)
        event.save(update_fields=["uid", "mac"])


def guard(apps, schema_editor):
    for table, keys in KEYS.items():
        for statement in append_only_sql(table, schema_editor.connection.vendor, keys=keys):
            schema_editor.execute(statement)


def unguard(apps, schema_editor):
    for table in KEYS:
        for statement in drop_append_only_sql(table, schema_editor.connection.vendor):
            schema_editor.execute(statement)


def guard_events(apps, schema_editor):
    for statement in append_only_sql(EVENTS, schema_editor.connection.vendor):
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_append_only"), ("vault", "0001_initial")]
    operations = [
        migrations.RunPython(lift, guard_events),
        migrations.AddField("auditevent", "uid", models.UUIDField(default=uuid.uuid4, editable=False, null=True)),
        migrations.AddField("auditevent", "mac", models.BinaryField(default=b"", max_length=36), preserve_default=False),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField(
            "auditevent", "uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)
        ),
        migrations.CreateModel(
            name="AuditLink",
            fields=[
                ("seq", models.BigIntegerField(primary_key=True, serialize=False)),
                (
                    "event",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="link", to="audit.auditevent"
                    ),
                ),
                ("mac", models.BinaryField(max_length=36)),
            ],
            options={"constraints": [models.CheckConstraint(condition=models.Q(seq__gte=1), name="audit_link_number")]},
        ),
        migrations.RunPython(guard, unguard),
    ]
