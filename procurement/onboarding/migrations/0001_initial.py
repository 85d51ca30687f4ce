import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('catalog', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('suppliers', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='ProbeRun',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='probe_runs', to='suppliers.supplieraccount')),
                ('state', models.CharField(default='running', max_length=10)),
                ('version', models.PositiveIntegerField(default=0)),
                ('read_only', models.BooleanField(default=False)),
                ('patience', models.PositiveIntegerField()),
                ('started_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('started_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('ended_at', models.DateTimeField(null=True)),
                ('mapping', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.mapping')),
                ('read_at', models.DateTimeField(null=True)),
                ('products', models.JSONField(default=list)),
            ],
            options={
                'ordering': ('-started_at',),
                'indexes': [models.Index(fields=['account', '-started_at'], name='probes_by_account')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'running')), fields=('account',), name='one_probe_at_a_time')],
            },
        ),
        migrations.CreateModel(
            name='ProbeStep',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='steps', to='onboarding.proberun')),
                ('place', models.PositiveSmallIntegerField()),
                ('name', models.CharField(max_length=40)),
                ('outcome', models.CharField(default='waiting', max_length=10)),
                ('begun_at', models.DateTimeField(null=True)),
                ('looks', models.PositiveIntegerField(default=0)),
                ('ended_at', models.DateTimeField(null=True)),
                ('seen', models.CharField(blank=True, max_length=600)),
            ],
            options={
                'ordering': ('place',),
                'constraints': [models.UniqueConstraint(fields=('run', 'name'), name='a_step_once_in_a_run')],
            },
        ),
        migrations.CreateModel(
            name='ProbeResult',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='results', to='onboarding.proberun')),
                ('place', models.PositiveSmallIntegerField()),
                ('clause', models.CharField(max_length=40)),
                ('says', models.CharField(max_length=300)),
                ('source', models.CharField(choices=[('documented', 'Documented'), ('assumed', 'Assumed')], max_length=10)),
                ('verdict', models.CharField(choices=[('observed', 'Observed'), ('contradicted', 'Contradicted'), ('not_seen', 'Not seen')], max_length=12)),
                ('seen', models.CharField(blank=True, max_length=600)),
                ('found_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'ordering': ('place',),
                'constraints': [models.UniqueConstraint(fields=('run', 'clause'), name='a_clause_once_in_a_run')],
            },
        ),
        migrations.CreateModel(
            name='ChecklistTick',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='suppliers.supplieraccount')),
                ('line', models.CharField(max_length=40)),
                ('note', models.CharField(blank=True, max_length=200)),
                ('ticked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('ticked_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('account', 'line'), name='a_line_is_ticked_once')],
            },
        ),
    ]
