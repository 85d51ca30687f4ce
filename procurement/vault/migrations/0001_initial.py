import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='CryptoKey',
            fields=[
                ('id', models.PositiveBigIntegerField(primary_key=True, serialize=False)),
                ('purpose', models.CharField(choices=[('code', 'code'), ('bidx', 'bidx'), ('supplier_api', 'supplier_api'), ('webhook', 'webhook'), ('wire_log', 'wire_log'), ('evidence', 'evidence'), ('totp', 'totp'), ('audit_mac', 'audit_mac')], max_length=20)),
                ('period', models.CharField(blank=True, default='', max_length=7)),
                ('version', models.PositiveIntegerField()),
                ('status', models.CharField(choices=[('active', 'In use'), ('beside', 'Being replaced'), ('decrypt_only', 'Retired, opens only'), ('destroyed', 'Destroyed')], default='active', max_length=20)),
                ('wrapped_dek', models.BinaryField()),
                ('kcv', models.CharField(max_length=16)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('retired_at', models.DateTimeField(null=True)),
                ('destroyed_at', models.DateTimeField(null=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('purpose', 'period', 'version'), name='one_key_for_each_purpose_and_version'), models.UniqueConstraint(condition=models.Q(('status', 'active')), fields=('purpose', 'period'), name='one_active_key_for_a_purpose'), models.CheckConstraint(condition=models.Q(models.Q(('status', 'destroyed'), _negated=True), models.Q(('destroyed_at__isnull', False), ('wrapped_dek', b'')), _connector='OR'), name='a_destroyed_key_is_gone'), models.CheckConstraint(condition=models.Q(('purpose', 'bidx'), ('status', 'destroyed'), _negated=True), name='an_index_key_is_never_destroyed')],
            },
        ),
    ]
