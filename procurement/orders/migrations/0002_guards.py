"""Puts the rules of four eyes (procurement/orders/guards.py) into the database.

Who asked for a code, and what was unusual about it, is never taken back; what came of it, and who looked, is written later.
"""

from django.db import migrations

from ledger.guards import append_only
from procurement.orders.guards import RULES
from procurement.triggers import installer, remover


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0001_initial"),
        ("audit", "0001_initial"),
        ("orders", "0001_initial"),
        ("staff", "0001_initial"),
    ]
    operations = [
        append_only("orders_reveal", keys=(("id",), ("number",)), may_update=True),
        append_only("orders_revealalert", keys=(("id",), ("pattern", "reveal_id")), may_update=True),
        migrations.RunPython(installer(RULES), remover(RULES)),
    ]
