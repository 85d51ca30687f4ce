import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('orders', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('suppliers', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Day',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='days', to='suppliers.supplieraccount')),
                ('currency', models.CharField(max_length=3)),
                ('day', models.DateField()),
                ('opening_minor', models.BigIntegerField(default=0)),
                ('deposits_minor', models.BigIntegerField(default=0)),
                ('orders_minor', models.BigIntegerField(default=0)),
                ('credits_minor', models.BigIntegerField(default=0)),
                ('ours_minor', models.BigIntegerField(default=0)),
                ('theirs_minor', models.BigIntegerField(null=True)),
                ('theirs_read_at', models.DateTimeField(null=True)),
                ('matched', models.PositiveIntegerField(default=0)),
                ('matched_minor', models.BigIntegerField(default=0)),
                ('in_flight', models.PositiveIntegerField(default=0)),
                ('in_flight_minor', models.BigIntegerField(default=0)),
                ('unread', models.PositiveIntegerField(default=0)),
                ('state', models.CharField(default='waiting', max_length=20)),
                ('version', models.PositiveIntegerField(default=1)),
                ('checked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('problem', models.CharField(blank=True, max_length=500)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('account', 'currency', 'day'), name='one_row_for_each_day')],
            },
        ),
        migrations.CreateModel(
            name='Difference',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='differences', to='reconciliation.day')),
                ('kind', models.CharField(max_length=30)),
                ('reference', models.CharField(max_length=120)),
                ('order', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='orders.order')),
                ('amount_minor', models.BigIntegerField()),
                ('effect_minor', models.BigIntegerField(default=0)),
                ('currency', models.CharField(max_length=3)),
                ('ours', models.CharField(blank=True, max_length=120)),
                ('theirs', models.CharField(blank=True, max_length=120)),
                ('sentence', models.CharField(max_length=500)),
                ('first_seen_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('gone_at', models.DateTimeField(null=True)),
                ('cause', models.CharField(blank=True, choices=[('timing', 'Timing: it evens out on another day'), ('supplier_error', 'The supplier’s error, reported'), ('our_error', 'Our error, being corrected'), ('unconfirmed', 'Unconfirmed order, being settled'), ('outside', 'Bought or paid outside this desk'), ('fee', 'A fee or a charge without an order'), ('rounding', 'Rounding'), ('other', 'Another cause, as noted'), ('matched', 'Matched: together they come to nothing')], max_length=20)),
                ('note', models.CharField(blank=True, max_length=500)),
                ('explained_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('accepted_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('match', models.BigIntegerField(null=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('gone_at__isnull', True)), fields=('day', 'kind', 'reference'), name='a_difference_is_named_once'), models.CheckConstraint(condition=models.Q(models.Q(('cause', 'matched'), ('match__isnull', False)), models.Q(('match__isnull', True), models.Q(('cause', 'matched'), _negated=True)), _connector='OR'), name='a_match_is_a_cause_of_its_own'), models.CheckConstraint(condition=models.Q(('accepted_by__isnull', True), models.Q(('explained_by__isnull', False), models.Q(('accepted_by', models.F('explained_by')), _negated=True)), _connector='OR'), name='a_difference_is_accepted_by_another')],
            },
        ),
        migrations.CreateModel(
            name='DayEvidence',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120)),
                ('media_type', models.CharField(max_length=20)),
                ('size', models.PositiveIntegerField()),
                ('sha256', models.CharField(max_length=64)),
                ('content', models.BinaryField()),
                ('added_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('added_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('day', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='evidence', to='reconciliation.day')),
            ],
            options={
                'verbose_name_plural': 'day evidence',
                'constraints': [models.UniqueConstraint(fields=('day', 'sha256'), name='a_document_is_kept_once_for_a_day')],
            },
        ),
        migrations.CreateModel(
            name='SignOff',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sign_offs', to='reconciliation.day')),
                ('content', models.JSONField()),
                ('content_hash', models.CharField(max_length=64)),
                ('state', models.CharField(default='prepared', max_length=12)),
                ('version', models.PositiveIntegerField(default=1)),
                ('prepared_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('prepared_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('reviewed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('reviewed_at', models.DateTimeField(null=True)),
                ('checkpoint', models.CharField(blank=True, max_length=120)),
                ('ended_why', models.CharField(blank=True, max_length=500)),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('state__in', ['prepared', 'signed'])), fields=('day',), name='one_sign_off_of_a_day_in_force'), models.CheckConstraint(condition=models.Q(models.Q(('state__in', ['signed', 'reopened']), _negated=True), models.Q(('reviewed_by__isnull', False), models.Q(('reviewed_by', models.F('prepared_by')), _negated=True)), _connector='OR'), name='a_day_is_signed_by_two')],
            },
        ),
        migrations.CreateModel(
            name='SupplierRecord',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='suppliers.supplieraccount')),
                ('remote_id', models.CharField(max_length=100)),
                ('client_order_id', models.CharField(blank=True, max_length=100)),
                ('status', models.CharField(blank=True, max_length=20)),
                ('raw_status', models.CharField(blank=True, max_length=60)),
                ('currency', models.CharField(blank=True, max_length=3)),
                ('total_minor', models.BigIntegerField(null=True)),
                ('refunded_minor', models.BigIntegerField(null=True)),
                ('quantity', models.PositiveIntegerField(null=True)),
                ('delivered_quantity', models.PositiveIntegerField(null=True)),
                ('created_at', models.DateTimeField(null=True)),
                ('missing', models.BooleanField(default=False)),
                ('read_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'indexes': [models.Index(fields=['account', 'created_at'], name='records_by_time')],
                'constraints': [models.UniqueConstraint(fields=('account', 'remote_id'), name='one_record_for_each_remote_order')],
            },
        ),
        migrations.CreateModel(
            name='AccountStatement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='account_statements', to='suppliers.supplieraccount')),
                ('currency', models.CharField(max_length=3)),
                ('first', models.DateField()),
                ('last', models.DateField()),
                ('name', models.CharField(max_length=120)),
                ('sha256', models.CharField(max_length=64)),
                ('lines', models.JSONField()),
                ('uploaded_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('uploaded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('applied_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('applied_at', models.DateTimeField(null=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('account', 'currency', 'sha256'), name='a_statement_is_kept_once')],
            },
        ),
    ]
