import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='DueWork',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=64)),
                ('ref', models.CharField(max_length=128)),
                ('rank', models.PositiveSmallIntegerField(default=40)),
                ('account', models.CharField(blank=True, max_length=64)),
                ('due_at', models.DateTimeField()),
                ('again_at', models.DateTimeField(blank=True, null=True)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('fence', models.PositiveBigIntegerField(default=0)),
                ('tries', models.PositiveIntegerField(default=0)),
                ('last_error', models.CharField(blank=True, max_length=300)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'verbose_name_plural': 'due work',
                'indexes': [models.Index(fields=['due_at'], name='due_work_due_at'), models.Index(fields=['rank', 'due_at'], name='due_work_in_turn'), models.Index(condition=models.Q(('lease_until__isnull', False)), fields=['account'], name='due_work_held')],
                'constraints': [models.UniqueConstraint(fields=('kind', 'ref'), name='due_work_once_per_kind_and_ref')],
            },
        ),
        migrations.CreateModel(
            name='PeriodicSlot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('job', models.CharField(max_length=64)),
                ('slot', models.DateTimeField()),
                ('started_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('last_error', models.CharField(blank=True, max_length=300)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('job', 'slot'), name='periodic_slot_once_per_job')],
            },
        ),
        migrations.CreateModel(
            name='Loop',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=128, unique=True)),
                ('last_seen_at', models.DateTimeField()),
            ],
        ),
    ]
