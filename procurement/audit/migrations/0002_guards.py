"""Makes the database refuse to change or delete what happened."""

from django.db import migrations

from ledger.guards import append_only


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [
        append_only("audit_auditevent", keys=(("id",), ("uid",))),
        append_only("audit_auditlink", keys=(("seq",), ("event_id",))),
    ]
