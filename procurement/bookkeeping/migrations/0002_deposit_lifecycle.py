"""Deposits get their way from announcement to credit; those there are were credited when they were recorded."""

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F

HOW = [
    ("balance", "the supplier’s balance shows it"),
    ("person", "a second person confirmed it"),
    ("opening", "what the supplier held when this ledger began"),
    ("earlier", "recorded by one person, before two were needed"),
]


def credited_already(apps: Any, schema_editor: Any) -> None:
    rows = apps.get_model("bookkeeping", "Deposit").objects
    facts = {"state": "credited", "credited_minor": F("amount_minor"), "sent_at": F("announced_at")}
    rows.filter(announced_by__isnull=True).update(credited_how="opening", **facts)
    rows.filter(announced_by__isnull=False).update(credited_how="earlier", **facts)


class Migration(migrations.Migration):
    dependencies = [
        ("bookkeeping", "0001_initial"),
        ("suppliers", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RenameField("deposit", "recorded_by", "announced_by"),
        migrations.RenameField("deposit", "recorded_at", "announced_at"),
        migrations.AddField("deposit", "asset", models.CharField(blank=True, default="", max_length=10), False),
        migrations.AddField("deposit", "network", models.CharField(blank=True, default="", max_length=20), False),
        migrations.AddField("deposit", "txid", models.CharField(blank=True, default="", max_length=120), False),
        migrations.AddField("deposit", "state", models.CharField(default="announced", max_length=12)),
        migrations.AddField("deposit", "version", models.PositiveIntegerField(default=1)),
        migrations.AddField("deposit", "sent_at", models.DateTimeField(null=True)),
        migrations.AddField("deposit", "credited_minor", models.BigIntegerField(null=True)),
        migrations.AlterField("deposit", "credited_on", models.DateField(null=True)),
        migrations.AddField(
            "deposit", "credited_how", models.CharField(blank=True, choices=HOW, default="", max_length=8), False
        ),
        migrations.AddField(
            "deposit",
            "credited_by",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            "deposit",
            "shown_by",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="suppliers.balancesnapshot",
            ),
        ),
        migrations.RunPython(credited_already, migrations.RunPython.noop),
    ]
