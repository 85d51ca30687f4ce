import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('suppliers', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Deposit',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deposits', to='suppliers.supplieraccount')),
                ('amount_minor', models.BigIntegerField()),
                ('currency', models.CharField(max_length=3)),
                ('asset', models.CharField(blank=True, max_length=10)),
                ('network', models.CharField(blank=True, max_length=20)),
                ('reference', models.CharField(max_length=120)),
                ('txid', models.CharField(blank=True, max_length=120)),
                ('note', models.CharField(blank=True, max_length=500)),
                ('state', models.CharField(default='announced', max_length=12)),
                ('version', models.PositiveIntegerField(default=1)),
                ('announced_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('announced_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('sent_at', models.DateTimeField(null=True)),
                ('credited_minor', models.BigIntegerField(null=True)),
                ('credited_on', models.DateField(null=True)),
                ('credited_how', models.CharField(blank=True, choices=[('balance', 'the supplier’s balance shows it'), ('person', 'a second person confirmed it'), ('opening', 'what the supplier held when this ledger began')], max_length=8)),
                ('credited_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('shown_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='suppliers.balancesnapshot')),
            ],
            options={
                'indexes': [models.Index(fields=['state', 'announced_at'], name='deposits_by_state')],
                'constraints': [models.UniqueConstraint(fields=('account', 'reference'), name='a_deposit_is_booked_once'), models.UniqueConstraint(condition=models.Q(('txid', ''), _negated=True), fields=('txid',), name='a_transfer_pays_one_deposit'), models.CheckConstraint(condition=models.Q(('amount_minor__gt', 0)), name='deposit_is_positive'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'credited'), _negated=True), models.Q(('credited_minor__gt', 0), ('credited_minor__isnull', False), ('credited_on__isnull', False), models.Q(('credited_how', ''), _negated=True)), _connector='OR'), name='a_credited_deposit_says_what_and_how'), models.CheckConstraint(condition=models.Q(models.Q(('credited_how', 'person'), _negated=True), models.Q(('credited_by__isnull', False), models.Q(('credited_by', models.F('announced_by')), _negated=True)), _connector='OR'), name='a_deposit_is_credited_by_another'), models.CheckConstraint(condition=models.Q(models.Q(('credited_how', 'balance'), _negated=True), ('shown_by__isnull', False), _connector='OR'), name='a_deposit_shown_names_the_reading')],
            },
        ),
        migrations.CreateModel(
            name='Evidence',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120)),
                ('media_type', models.CharField(max_length=20)),
                ('size', models.PositiveIntegerField()),
                ('sha256', models.CharField(max_length=64)),
                ('content', models.BinaryField()),
                ('added_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('added_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('deposit', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='evidence', to='bookkeeping.deposit')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('deposit', 'sha256'), name='a_document_is_kept_once_for_a_deposit')],
            },
        ),
        migrations.CreateModel(
            name='Correction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='corrections', to='suppliers.supplieraccount')),
                ('currency', models.CharField(max_length=3)),
                ('amount_minor', models.BigIntegerField()),
                ('against', models.CharField(choices=[('fees', 'Fees: charged or given back without an order'), ('purchases', 'Purchases: an order cost more or less than booked'), ('deposits', 'Deposits: money came in or went back')], max_length=10)),
                ('day', models.DateField()),
                ('reason', models.CharField(max_length=500)),
                ('state', models.CharField(default='proposed', max_length=8)),
                ('version', models.PositiveIntegerField(default=1)),
                ('proposed_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('proposed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('decided_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('decided_at', models.DateTimeField(null=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('amount_minor', 0), _negated=True), name='a_correction_moves_money'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'booked'), _negated=True), models.Q(('decided_by__isnull', False), models.Q(('decided_by', models.F('proposed_by')), _negated=True)), _connector='OR'), name='a_correction_is_booked_by_another')],
            },
        ),
        migrations.CreateModel(
            name='CleanDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='clean_days', to='suppliers.supplieraccount')),
                ('currency', models.CharField(max_length=3)),
                ('day', models.DateField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('account', 'currency', 'day'), name='a_clean_day_counts_once')],
            },
        ),
        migrations.CreateModel(
            name='DailyVolume',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='volumes', to='suppliers.supplieraccount')),
                ('currency', models.CharField(max_length=3)),
                ('day', models.DateField()),
                ('approved_minor', models.BigIntegerField(default=0)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('account', 'currency', 'day'), name='one_volume_for_each_day'), models.CheckConstraint(condition=models.Q(('approved_minor__gte', 0)), name='volume_is_not_negative')],
            },
        ),
        migrations.CreateModel(
            name='Label',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=40)),
                ('reference_id', models.CharField(max_length=100)),
                ('text', models.CharField(db_index=True, max_length=120)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('kind', 'reference_id'), name='a_reference_has_one_name')],
            },
        ),
    ]
