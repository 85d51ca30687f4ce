"""Puts the rules of what is destroyed (procurement/custody/guards.py) into the database."""

from django.db import migrations

from procurement.custody.guards import RULES
from procurement.triggers import installer, remover


class Migration(migrations.Migration):
    dependencies = [
        ("custody", "0001_initial"),
        ("staff", "0001_initial"),
    ]
    operations = [migrations.RunPython(installer(RULES), remover(RULES))]
