import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='World',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('seed', models.IntegerField(default=1)),
                ('orders_made', models.IntegerField(default=0)),
                ('codes_made', models.IntegerField(default=0)),
                ('clock_offset_seconds', models.FloatField(default=0)),
                ('clock_frozen_at', models.DateTimeField(null=True)),
                ('limits_enabled', models.BooleanField(default=True)),
                ('loop_enabled', models.BooleanField(default=True)),
                ('webhook_retry_seconds', models.FloatField(default=10)),
            ],
        ),
        migrations.CreateModel(
            name='Account',
            fields=[
                ('supplier', models.CharField(max_length=10, primary_key=True, serialize=False)),
                ('api_keys', models.JSONField(default=list)),
                ('webhook_secret', models.CharField(max_length=200)),
                ('webhook_url', models.CharField(blank=True, max_length=500)),
                ('delivery_delay_seconds', models.FloatField(default=1)),
                ('tier_name', models.CharField(blank=True, max_length=40)),
                ('tier_basis_points', models.IntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='Balance',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='sandbox.account')),
                ('currency', models.CharField(max_length=3)),
                ('minor', models.BigIntegerField(default=0)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('account', 'currency'), name='one_balance_per_currency'), models.CheckConstraint(condition=models.Q(('minor__gte', 0)), name='balance_never_negative')],
            },
        ),
        migrations.CreateModel(
            name='Product',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='sandbox.account')),
                ('key', models.CharField(max_length=40)),
                ('name', models.CharField(max_length=100)),
                ('region', models.CharField(max_length=2)),
                ('currency', models.CharField(max_length=3)),
                ('denomination', models.IntegerField(help_text='Face value in major units.')),
                ('unit_minor', models.IntegerField(help_text='List price in cents of the settlement currency.')),
                ('stock', models.IntegerField(help_text='Empty: the supplier does not say, and never runs out.', null=True)),
            ],
            options={
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(fields=('account', 'key'), name='product_key_once')],
            },
        ),
        migrations.CreateModel(
            name='Order',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='sandbox.account')),
                ('remote_id', models.CharField(max_length=40, unique=True)),
                ('client_order_id', models.CharField(max_length=64, null=True)),
                ('idempotency_key', models.CharField(max_length=128, null=True)),
                ('asked_by', models.CharField(blank=True, help_text='The X-Request-Id of the POST that made it.', max_length=64)),
                ('product_key', models.CharField(max_length=40)),
                ('region', models.CharField(max_length=2)),
                ('denomination', models.IntegerField()),
                ('quantity', models.IntegerField()),
                ('unit_minor', models.IntegerField()),
                ('total_minor', models.BigIntegerField()),
                ('refunded_minor', models.BigIntegerField(default=0)),
                ('currency', models.CharField(default='USD', max_length=3)),
                ('status', models.CharField(max_length=20)),
                ('plan', models.JSONField(default=list, help_text='Coming states: [status, moment] pairs.')),
                ('next_at', models.DateTimeField(db_index=True, null=True)),
                ('script', models.JSONField(default=dict, help_text='Faults this order plays, by kind.')),
                ('created_at', models.DateTimeField(db_index=True)),
                ('delivered_quantity', models.IntegerField(default=0)),
                ('delivered_at', models.DateTimeField(null=True)),
                ('failure_reason', models.CharField(max_length=200, null=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('account', 'idempotency_key'), name='one_order_per_key'), models.UniqueConstraint(fields=('account', 'client_order_id'), name='one_order_per_reference')],
            },
        ),
        migrations.CreateModel(
            name='Movement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='sandbox.account')),
                ('currency', models.CharField(max_length=3)),
                ('minor', models.BigIntegerField()),
                ('kind', models.CharField(max_length=12)),
                ('order', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to='sandbox.order')),
                ('reference', models.CharField(blank=True, max_length=80)),
                ('at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Code',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='codes', to='sandbox.order')),
                ('value', models.CharField(db_index=True, max_length=20)),
                ('region', models.CharField(max_length=2)),
                ('serial', models.CharField(max_length=20)),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Claim',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('remote_id', models.CharField(max_length=40, unique=True)),
                ('code', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, to='sandbox.code')),
                ('reason', models.CharField(max_length=20)),
                ('description', models.TextField(blank=True)),
                ('state', models.CharField(default='received', max_length=10)),
                ('replacement', models.CharField(blank=True, max_length=20)),
                ('created_at', models.DateTimeField()),
                ('decided_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Fault',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('supplier', models.CharField(max_length=10)),
                ('kind', models.CharField(max_length=40)),
                ('remaining', models.IntegerField(help_text='Empty: until cleared.', null=True)),
                ('taken', models.IntegerField(default=0)),
                ('params', models.JSONField(default=dict)),
                ('armed_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Webhook',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='sandbox.account')),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='sandbox.order')),
                ('event_id', models.CharField(max_length=40)),
                ('status', models.CharField(max_length=20)),
                ('previous_status', models.CharField(max_length=20)),
                ('flaw', models.CharField(blank=True, max_length=20)),
                ('happened_at', models.DateTimeField()),
                ('due_at', models.DateTimeField(db_index=True, help_text='Empty: taken, or given up.', null=True)),
                ('tries', models.IntegerField(default=0)),
                ('answer', models.CharField(blank=True, max_length=80)),
            ],
        ),
        migrations.CreateModel(
            name='RequestLog',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('supplier', models.CharField(max_length=10)),
                ('key_tail', models.CharField(blank=True, max_length=4)),
                ('key_digest', models.CharField(blank=True, max_length=16)),
                ('method', models.CharField(max_length=8)),
                ('path', models.CharField(max_length=300)),
                ('body', models.TextField(blank=True)),
                ('is_order', models.BooleanField(default=False)),
                ('status', models.IntegerField(null=True)),
                ('refused_by_limit', models.BooleanField(default=False)),
                ('faults', models.CharField(blank=True, max_length=200)),
                ('at', models.DateTimeField()),
            ],
            options={
                'indexes': [models.Index(fields=['key_digest', 'at'], name='request_window')],
            },
        ),
    ]
