"""The four tables. Line comes whole, because its primary key is made of its own columns."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Account",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.CharField(max_length=100, unique=True)),
                ("name", models.CharField(max_length=200)),
                ("owner", models.CharField(blank=True, max_length=100)),
                ("role", models.CharField(max_length=40)),
                ("currency", models.CharField(max_length=3)),
                ("opened_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("id", "currency"), name="ledger_account_currency")],
            },
        ),
        migrations.CreateModel(
            name="Balance",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        serialize=False,
                        to="ledger.account",
                    ),
                ),
                ("settled", models.BigIntegerField(default=0)),
                ("held", models.BigIntegerField(default=0)),
                ("floor", models.BigIntegerField(null=True)),
                ("seq", models.BigIntegerField(default=0)),
                ("last_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(floor__isnull=True) | Q(floor__lte=F("settled") + F("held")),
                        name="ledger_balance_floor",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("key", models.CharField(max_length=200, unique=True)),
                ("fingerprint", models.CharField(max_length=64)),
                ("kind", models.CharField(max_length=60)),
                ("effective_on", models.DateField()),
                ("recorded_at", models.DateTimeField()),
                ("reference_kind", models.CharField(blank=True, max_length=40)),
                ("reference_id", models.CharField(blank=True, max_length=100)),
                ("memo", models.TextField(blank=True)),
                ("actor", models.CharField(blank=True, max_length=150)),
                ("legs", models.PositiveSmallIntegerField()),
                (
                    "resolves",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="resolved_by",
                        to="ledger.entry",
                    ),
                ),
                (
                    "reverses",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reversed_by",
                        to="ledger.entry",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "entries",
                "indexes": [
                    models.Index(fields=["reference_kind", "reference_id"], name="ledger_entry_reference"),
                    models.Index(fields=["recorded_at", "id"], name="ledger_entry_recorded"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("id", "legs"), name="ledger_entry_legs"),
                    models.CheckConstraint(condition=Q(legs__gte=1), name="ledger_entry_has_lines"),
                    models.CheckConstraint(condition=~Q(key=""), name="ledger_entry_has_key"),
                    models.CheckConstraint(
                        condition=Q(resolves__isnull=True) | Q(reverses__isnull=True), name="ledger_entry_one_purpose"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Line",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "entry_id", "leg", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "entry",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="ledger.entry",
                    ),
                ),
                ("leg", models.PositiveSmallIntegerField()),
                ("legs", models.PositiveSmallIntegerField()),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="ledger.account",
                    ),
                ),
                ("currency", models.CharField(max_length=3)),
                (
                    "layer",
                    models.CharField(
                        choices=[("settled", "Settled"), ("held", "Held"), ("memo", "Memo")], max_length=7
                    ),
                ),
                ("amount", models.BigIntegerField()),
                ("seq", models.BigIntegerField()),
                ("settled_after", models.BigIntegerField()),
                ("held_after", models.BigIntegerField()),
                ("recorded_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("account", "seq"), name="ledger_line_account_seq"),
                    models.CheckConstraint(condition=Q(leg__gte=1) & Q(leg__lte=F("legs")), name="ledger_line_leg"),
                    models.CheckConstraint(
                        condition=(Q(layer__in=["settled", "held"]) & ~Q(amount=0)) | (Q(layer="memo") & Q(amount=0)),
                        name="ledger_line_amount",
                    ),
                ],
            },
        ),
    ]
