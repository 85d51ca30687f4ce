"""Keys over two columns. The guards are installed by the last migration that alters a table."""

from django.db import migrations

from ledger import guards


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]
    operations = [migrations.RunPython(guards.add_keys, guards.drop_keys)]
