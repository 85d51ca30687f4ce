"""Puts the ledger's rules (ledger/rules.py, ledger/guards.py) into the database."""

from django.db import migrations

from ledger import guards


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]
    operations = [
        migrations.RunPython(guards.widen_keys, migrations.RunPython.noop),
        migrations.RunPython(guards.install_guards, guards.remove_guards),
    ]
