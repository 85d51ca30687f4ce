"""Makes the database refuse to change or delete a deposit's documents."""

from django.db import migrations

from ledger.guards import append_only


class Migration(migrations.Migration):
    dependencies = [("bookkeeping", "0001_initial")]
    operations = [append_only("bookkeeping_evidence")]
