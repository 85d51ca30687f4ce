"""Puts the rules of four eyes (procurement/orders/guards.py) into the database."""

from django.db import migrations

from procurement.orders.guards import RULES
from procurement.triggers import installer, remover


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0001_initial"),
        ("audit", "0003_chain"),
        ("orders", "0008_delivery_files"),
        ("staff", "0003_people"),
    ]
    operations = [migrations.RunPython(installer(RULES), remover(RULES))]
