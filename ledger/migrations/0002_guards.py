"""Makes the database refuse what the ledger never does."""

from django.db import migrations

from ledger import guards


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]
    operations = [migrations.RunPython(guards.install_guards, guards.remove_guards)]
