import django.db.models.deletion
import django.db.models.expressions
import django.utils.timezone
import ledger.models
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Account',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=100, unique=True)),
                ('name', models.CharField(max_length=200)),
                ('owner', models.CharField(blank=True, max_length=100)),
                ('role', models.CharField(max_length=40)),
                ('currency', models.CharField(max_length=3)),
                ('opened_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('id', 'currency'), name='ledger_account_currency')],
            },
        ),
        migrations.CreateModel(
            name='Balance',
            fields=[
                ('account', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, serialize=False, to='ledger.account')),
                ('settled', models.BigIntegerField(default=0)),
                ('held', models.BigIntegerField(default=0)),
                ('floor', models.BigIntegerField(null=True)),
                ('seq', models.BigIntegerField(default=0)),
                ('head', models.BinaryField(default=b'\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00', max_length=32)),
                ('last_id', models.UUIDField(null=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('floor__isnull', True), ('floor__lte', django.db.models.expressions.CombinedExpression(models.F('settled'), '+', models.F('held'))), _connector='OR'), name='ledger_balance_floor')],
            },
        ),
        migrations.CreateModel(
            name='Entry',
            fields=[
                ('id', models.UUIDField(default=ledger.models.new_id, editable=False, primary_key=True, serialize=False)),
                ('key', models.CharField(max_length=200)),
                ('fingerprint', models.CharField(max_length=64)),
                ('kind', models.CharField(max_length=60)),
                ('effective_on', models.DateField()),
                ('recorded_at', models.DateTimeField()),
                ('reference_kind', models.CharField(blank=True, max_length=40)),
                ('reference_id', models.CharField(blank=True, max_length=100)),
                ('memo', models.TextField(blank=True)),
                ('actor', models.CharField(blank=True, max_length=150)),
                ('legs', models.PositiveSmallIntegerField()),
                ('resolves', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='resolved_by', to='ledger.entry')),
                ('reverses', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reversed_by', to='ledger.entry')),
            ],
            options={
                'verbose_name_plural': 'entries',
                'indexes': [models.Index(fields=['reference_kind', 'reference_id'], name='ledger_entry_reference'), models.Index(condition=models.Q(('effective_on', ledger.models.RecordedOn('recorded_at')), _negated=True), fields=['effective_on', 'id'], name='ledger_entry_dated_elsewhere')],
                'constraints': [models.UniqueConstraint(fields=('key',), name='ledger_entry_key'), models.UniqueConstraint(condition=models.Q(('resolves__isnull', False)), fields=('resolves',), name='ledger_a_hold_ends_once'), models.UniqueConstraint(condition=models.Q(('reverses__isnull', False)), fields=('reverses',), name='ledger_an_entry_is_reversed_once'), models.CheckConstraint(condition=models.Q(('legs__gte', 1)), name='ledger_entry_has_lines'), models.CheckConstraint(condition=models.Q(('key', ''), _negated=True), name='ledger_entry_has_key'), models.CheckConstraint(condition=models.Q(('resolves__isnull', True), ('reverses__isnull', True), _connector='OR'), name='ledger_entry_one_purpose')],
            },
        ),
        migrations.CreateModel(
            name='Line',
            fields=[
                ('pk', models.CompositePrimaryKey('entry_id', 'leg', blank=True, editable=False, primary_key=True, serialize=False)),
                ('entry', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='ledger.entry')),
                ('leg', models.PositiveSmallIntegerField()),
                ('legs', models.PositiveSmallIntegerField()),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='ledger.account')),
                ('currency', models.CharField(max_length=3)),
                ('layer', models.CharField(choices=[('settled', 'Settled'), ('held', 'Held'), ('memo', 'Memo')], max_length=7)),
                ('amount', models.BigIntegerField()),
                ('seq', models.BigIntegerField()),
                ('settled_after', models.BigIntegerField()),
                ('held_after', models.BigIntegerField()),
                ('hash', models.BinaryField(max_length=32)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('account', 'seq'), name='ledger_line_account_seq'), models.CheckConstraint(condition=models.Q(('leg__gte', 1), ('leg__lte', models.F('legs'))), name='ledger_line_leg'), models.CheckConstraint(condition=models.Q(models.Q(('layer__in', ['settled', 'held']), models.Q(('amount', 0), _negated=True)), models.Q(('layer', 'memo'), ('amount', 0)), _connector='OR'), name='ledger_line_amount')],
            },
        ),
        migrations.CreateModel(
            name='Checkpoint',
            fields=[
                ('no', models.BigIntegerField(primary_key=True, serialize=False)),
                ('at', models.DateTimeField()),
                ('lines', models.BigIntegerField()),
                ('previous', models.BinaryField(max_length=32)),
                ('hash', models.BinaryField(max_length=32)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('no__gte', 1)), name='ledger_checkpoint_number')],
            },
        ),
        migrations.CreateModel(
            name='CheckpointHead',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('checkpoint', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='heads', to='ledger.checkpoint')),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.account')),
                ('seq', models.BigIntegerField()),
                ('settled', models.BigIntegerField()),
                ('held', models.BigIntegerField()),
                ('head', models.BinaryField(max_length=32)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('account', 'checkpoint'), name='ledger_one_head_of_an_account')],
            },
        ),
        migrations.CreateModel(
            name='Closing',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('owner', models.CharField(max_length=100)),
                ('through', models.DateField()),
                ('checkpoint', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.checkpoint')),
                ('closed_at', models.DateTimeField()),
                ('closed_by', models.CharField(max_length=150)),
                ('reviewed_by', models.CharField(max_length=150)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('owner', 'through'), name='ledger_one_closing_of_a_day'), models.CheckConstraint(condition=models.Q(('closed_by', models.F('reviewed_by')), _negated=True), name='ledger_closing_needs_two')],
            },
        ),
    ]
