"""Puts the rules of two administrators (procurement/people/guards.py) into the database."""

from django.db import migrations

from procurement.people.guards import RULES
from procurement.triggers import installer, remover


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0001_initial"),
        ("audit", "0001_initial"),
        ("people", "0001_initial"),
        ("staff", "0001_initial"),
    ]
    operations = [migrations.RunPython(installer(RULES), remover(RULES))]
