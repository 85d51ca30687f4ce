"""Entries that end or reverse nothing are in no index of those that do; ids begin with the time; the guards anew.

PostgreSQL keeps the wider of two foreign keys on a line's entry and account.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

import ledger.models
from ledger import guards


def link(related_name):
    return models.ForeignKey(
        "ledger.entry",
        null=True,
        on_delete=django.db.models.deletion.PROTECT,
        related_name=related_name,
        db_index=False,
    )


class Migration(migrations.Migration):
    dependencies = [("ledger", "0004_chain")]
    operations = [
        # The way back leaves the tables unguarded, as it does in 0004.
        migrations.RunPython(guards.remove_guards, migrations.RunPython.noop),
        migrations.AlterField(
            "entry",
            "id",
            models.UUIDField(default=ledger.models.new_id, editable=False, primary_key=True, serialize=False),
        ),
        migrations.RunPython(guards.drop_narrow_keys, migrations.RunPython.noop),
        migrations.AlterField("entry", "resolves", link("resolved_by")),
        migrations.AlterField("entry", "reverses", link("reversed_by")),
        migrations.AddConstraint(
            "entry",
            models.UniqueConstraint(
                fields=("resolves",), condition=Q(resolves__isnull=False), name="ledger_a_hold_ends_once"
            ),
        ),
        migrations.AddConstraint(
            "entry",
            models.UniqueConstraint(
                fields=("reverses",), condition=Q(reverses__isnull=False), name="ledger_an_entry_is_reversed_once"
            ),
        ),
        migrations.RunPython(guards.install_guards, guards.remove_guards),
    ]
