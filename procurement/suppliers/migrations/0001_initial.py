import datetime
import django.db.models.deletion
import django.utils.timezone
import procurement.suppliers.models
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='SupplierAccount',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('code', models.SlugField(max_length=40, unique=True)),
                ('name', models.CharField(max_length=80)),
                ('dialect', models.CharField(choices=[('alpha', 'Alpha PSN'), ('psnb2b', 'PSN:B2B')], max_length=10)),
                ('environment', models.CharField(choices=[('sandbox', 'Sandbox'), ('live', 'Live')], default='sandbox', max_length=10)),
                ('base_url', models.URLField()),
                ('settlement_currency', models.CharField(max_length=3)),
                ('state', models.CharField(default='live', max_length=12)),
                ('version', models.PositiveIntegerField(default=0)),
                ('paused_reason', models.CharField(blank=True, max_length=300)),
                ('blocked_until', models.DateTimeField(null=True)),
                ('failures_in_row', models.PositiveIntegerField(default=0)),
                ('probes', models.PositiveSmallIntegerField(default=0)),
                ('probe_at', models.DateTimeField(null=True)),
                ('settings', models.JSONField(default=dict)),
                ('webhook_scheme', models.JSONField(default=dict)),
                ('hook_slug', models.CharField(default=procurement.suppliers.models.new_hook_slug, max_length=40, unique=True)),
                ('hook_registration', models.CharField(blank=True, max_length=200)),
                ('capture_until', models.DateTimeField(null=True)),
                ('api_key_sealed', models.BinaryField(default=b'')),
                ('api_key_last4', models.CharField(blank=True, max_length=4)),
                ('api_key_set_at', models.DateTimeField(null=True)),
                ('next_key_sealed', models.BinaryField(default=b'')),
                ('next_key_last4', models.CharField(blank=True, max_length=4)),
                ('next_key_set_at', models.DateTimeField(null=True)),
                ('next_key_from', models.DateTimeField(null=True)),
                ('webhook_secret_sealed', models.BinaryField(default=b'')),
                ('webhook_secret_last4', models.CharField(blank=True, max_length=4)),
                ('webhook_secret_set_at', models.DateTimeField(null=True)),
                ('webhook_previous_sealed', models.BinaryField(default=b'')),
                ('webhook_previous_until', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'ordering': ('name', 'code'),
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['live', 'paused', 'key_refused', 'down'])), name='account_state_is_known'), models.CheckConstraint(condition=models.Q(models.Q(('next_key_from__isnull', True), ('next_key_last4', '')), models.Q(models.Q(('next_key_last4', ''), _negated=True), ('next_key_from__isnull', False)), _connector='OR'), name='next_key_has_its_time')],
            },
        ),
        migrations.CreateModel(
            name='BalanceSnapshot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='snapshots', to='suppliers.supplieraccount')),
                ('currency', models.CharField(max_length=3)),
                ('available', models.BigIntegerField()),
                ('reserved', models.BigIntegerField(default=0)),
                ('tier_name', models.CharField(blank=True, max_length=60)),
                ('tier_discount_bp', models.PositiveIntegerField(null=True)),
                ('taken_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('request_id', models.UUIDField()),
            ],
            options={
                'indexes': [models.Index(fields=['account', 'currency', 'taken_at'], name='balance_over_time'), models.Index(fields=['account', '-taken_at', '-id'], name='balance_newest_first')],
            },
        ),
        migrations.CreateModel(
            name='Exchange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='exchanges', to='suppliers.supplieraccount')),
                ('request_id', models.UUIDField(unique=True)),
                ('response_id', models.CharField(blank=True, max_length=100)),
                ('purpose', models.CharField(max_length=30)),
                ('method', models.CharField(max_length=6)),
                ('path', models.CharField(max_length=300)),
                ('subject_kind', models.CharField(blank=True, max_length=40)),
                ('subject_id', models.CharField(blank=True, max_length=64)),
                ('started_at', models.DateTimeField()),
                ('duration_ms', models.PositiveIntegerField(null=True)),
                ('sent', models.BooleanField(null=True)),
                ('status', models.PositiveSmallIntegerField(null=True)),
                ('remaining_calls', models.PositiveIntegerField(null=True)),
                ('retry_after', models.CharField(blank=True, max_length=60)),
                ('repeated', models.BooleanField(default=False)),
                ('outcome', models.CharField(default='under way', max_length=20)),
                ('error_class', models.CharField(blank=True, max_length=60)),
                ('request_body', models.TextField(blank=True)),
                ('response_body', models.TextField(blank=True)),
            ],
            options={
                'indexes': [models.Index(fields=['account', '-started_at'], name='exchanges_by_account'), models.Index(fields=['subject_kind', 'subject_id'], name='exchanges_by_subject'), models.Index(condition=models.Q(('remaining_calls__isnull', False)), fields=['account', '-started_at'], name='exchanges_stating_calls')],
            },
        ),
        migrations.CreateModel(
            name='WebhookEvent',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='webhook_events', to='suppliers.supplieraccount')),
                ('received_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('dedupe_key', models.CharField(max_length=160)),
                ('event_id', models.CharField(blank=True, max_length=100)),
                ('event_type', models.CharField(blank=True, max_length=60)),
                ('remote_order_id', models.CharField(blank=True, max_length=100)),
                ('remote_status', models.CharField(blank=True, max_length=60)),
                ('occurred_at', models.DateTimeField(null=True)),
                ('result', models.CharField(default='being_handled', max_length=16)),
                ('result_note', models.CharField(blank=True, max_length=300)),
                ('checks', models.JSONField(default=list)),
                ('headers', models.JSONField(default=dict)),
                ('body_sealed', models.BinaryField(default=b'')),
                ('body_sha256', models.CharField(max_length=64)),
                ('size', models.PositiveIntegerField()),
                ('signed_by', models.CharField(blank=True, max_length=20)),
                ('duplicates', models.PositiveIntegerField(default=0)),
                ('last_duplicate_at', models.DateTimeField(null=True)),
                ('applied_at', models.DateTimeField(null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['account', 'remote_order_id'], name='events_by_order'), models.Index(fields=['-received_at'], name='events_by_time'), models.Index(fields=['event_id'], name='events_by_id'), models.Index(fields=['account', '-received_at'], name='events_by_account'), models.Index(fields=['result', '-received_at'], name='events_by_result')],
                'constraints': [models.UniqueConstraint(fields=('account', 'dedupe_key'), name='one_row_for_each_event')],
            },
        ),
        migrations.CreateModel(
            name='RefusedCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='suppliers.supplieraccount')),
                ('day', models.DateField()),
                ('count', models.PositiveIntegerField(default=0)),
                ('throttled', models.PositiveIntegerField(default=0)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('account', 'day'), name='one_refused_count_a_day')],
            },
        ),
        migrations.CreateModel(
            name='WebhookCalibration',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='calibrations', to='suppliers.supplieraccount')),
                ('started_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('started_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('proposal', models.JSONField(null=True)),
                ('proof', models.CharField(blank=True, max_length=300)),
                ('proposed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('proposed_at', models.DateTimeField(null=True)),
                ('decided_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('ended_at', models.DateTimeField(null=True)),
                ('pinned', models.BooleanField(default=False)),
            ],
            options={
                'indexes': [models.Index(fields=['account', '-started_at'], name='calibrations_by_account')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at__isnull', True)), fields=('account',), name='one_open_calibration'), models.CheckConstraint(condition=models.Q(('pinned', False), models.Q(('decided_by', models.F('proposed_by')), _negated=True), _connector='OR'), name='scheme_pinned_by_two_people')],
            },
        ),
        migrations.CreateModel(
            name='CapturedDelivery',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('calibration', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='suppliers.webhookcalibration')),
                ('received_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('sealed', models.BinaryField()),
                ('size', models.PositiveIntegerField()),
            ],
            options={
                'ordering': ('received_at', 'pk'),
            },
        ),
        migrations.CreateModel(
            name='CallPlace',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='suppliers.supplieraccount')),
                ('name', models.CharField(max_length=20)),
                ('number', models.PositiveSmallIntegerField()),
                ('free_at', models.DateTimeField(default=datetime.datetime(2000, 1, 1, 0, 0, tzinfo=datetime.timezone.utc))),
                ('in_call', models.BooleanField(default=False)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('account', 'name', 'number'), name='one_row_for_each_place')],
            },
        ),
    ]
