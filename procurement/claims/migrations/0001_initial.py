import django.db.models.deletion
import django.utils.timezone
import uuid
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
            name='Case',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='cases', to='orders.order')),
                ('code', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='cases', to='orders.code')),
                ('customer_order', models.CharField(blank=True, db_index=True, max_length=100)),
                ('account_region', models.CharField(blank=True, max_length=2)),
                ('error_text', models.TextField(blank=True)),
                ('state', models.CharField(default='todo', max_length=20)),
                ('version', models.PositiveIntegerField(default=1)),
                ('owner', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('opened_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('opened_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('overruled', models.CharField(blank=True, max_length=40)),
                ('overruled_reason', models.TextField(blank=True)),
            ],
            options={
                'indexes': [models.Index(fields=['state', '-opened_at'], name='case_queue')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state__in', ['todo', 'waiting_customer', 'waiting_supplier'])), fields=('code',), name='one_open_case_for_each_code')],
            },
        ),
        migrations.CreateModel(
            name='Claim',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('case', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='claims', to='claims.case')),
                ('code', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='claims', to='orders.code')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='suppliers.supplieraccount')),
                ('reason', models.CharField(choices=[('wrong_region', 'Wrong region'), ('invalid', 'Invalid'), ('failed', 'Failed')], max_length=20)),
                ('description', models.CharField(blank=True, max_length=2000)),
                ('state', models.CharField(default='draft', max_length=20)),
                ('version', models.PositiveIntegerField(default=1)),
                ('method', models.CharField(choices=[('api', 'over the API'), ('manual', 'by hand, through support')], max_length=10)),
                ('priority', models.BooleanField(default=False)),
                ('remote_id', models.CharField(blank=True, max_length=100)),
                ('answer', models.CharField(blank=True, max_length=500)),
                ('window_ends', models.DateTimeField()),
                ('drafted_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('drafted_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('filed_at', models.DateTimeField(null=True)),
                ('outcome_at', models.DateTimeField(null=True)),
                ('credit_minor', models.BigIntegerField(null=True)),
                ('replacement', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='orders.code')),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('state__in', ['draft', 'filed', 'unconfirmed'])), fields=('code',), name='one_open_claim_for_each_code')],
            },
        ),
    ]
