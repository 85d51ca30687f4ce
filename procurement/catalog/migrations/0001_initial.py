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
            name='Product',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='products', to='suppliers.supplieraccount')),
                ('external_id', models.CharField(max_length=100)),
                ('name', models.CharField(max_length=200)),
                ('region', models.CharField(max_length=20)),
                ('currency', models.CharField(max_length=3)),
                ('denomination_minor', models.BigIntegerField()),
                ('active', models.BooleanField(default=True)),
                ('cost_minor', models.BigIntegerField(null=True)),
                ('cost_currency', models.CharField(blank=True, max_length=3)),
                ('stock', models.IntegerField(null=True)),
                ('read_at', models.DateTimeField(null=True)),
                ('quoted_until', models.DateTimeField(null=True)),
                ('first_seen_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'indexes': [models.Index(fields=['region', 'currency', 'denomination_minor'], name='product_by_face')],
                'constraints': [models.UniqueConstraint(fields=('account', 'external_id'), name='one_product_for_each_key'), models.CheckConstraint(condition=models.Q(('denomination_minor__gt', 0)), name='product_has_a_face_value')],
            },
        ),
        migrations.CreateModel(
            name='PriceObservation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('product', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='prices', to='catalog.product')),
                ('cost_minor', models.BigIntegerField()),
                ('cost_currency', models.CharField(max_length=3)),
                ('stock', models.IntegerField(null=True)),
                ('observed_at', models.DateTimeField()),
            ],
            options={
                'indexes': [models.Index(fields=['product', 'observed_at'], name='price_by_product')],
            },
        ),
        migrations.CreateModel(
            name='CatalogReading',
            fields=[
                ('account', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='suppliers.supplieraccount')),
                ('read_at', models.DateTimeField(null=True)),
                ('count', models.PositiveIntegerField(default=0)),
                ('tried_at', models.DateTimeField(null=True)),
                ('problem', models.CharField(blank=True, max_length=300)),
                ('asked_at', models.DateTimeField(null=True)),
                ('asked_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='Sku',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=64, unique=True)),
                ('title', models.CharField(max_length=200)),
                ('region', models.CharField(max_length=2)),
                ('currency', models.CharField(max_length=3)),
                ('face_minor', models.BigIntegerField()),
                ('active', models.BooleanField(default=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('updated_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('face_minor__gt', 0)), name='sku_has_a_face_value')],
            },
        ),
        migrations.CreateModel(
            name='Mapping',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sku', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='mappings', to='catalog.sku')),
                ('product', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='mappings', to='catalog.product')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='suppliers.supplieraccount')),
                ('number', models.PositiveIntegerField()),
                ('state', models.CharField(default='draft', max_length=12)),
                ('version', models.PositiveIntegerField(default=1)),
                ('drafted_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('drafted_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('activated_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('activated_at', models.DateTimeField(null=True)),
                ('retired_at', models.DateTimeField(null=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('sku', 'number'), name='mapping_versions_are_numbered'), models.UniqueConstraint(condition=models.Q(('state__in', ['draft', 'active'])), fields=('sku', 'product'), name='one_open_mapping_of_a_pair'), models.UniqueConstraint(condition=models.Q(('state', 'active')), fields=('sku', 'account'), name='one_active_mapping'), models.CheckConstraint(condition=models.Q(('activated_by__isnull', True), ('drafted_by__isnull', True), models.Q(('activated_by', models.F('drafted_by')), _negated=True), _connector='OR'), name='mapping_needs_a_second_person')],
            },
        ),
        migrations.CreateModel(
            name='SkuImport',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('file_name', models.CharField(max_length=200)),
                ('sha256', models.CharField(max_length=64)),
                ('uploaded_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('uploaded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('notes', models.JSONField(default=list)),
                ('lines', models.JSONField(default=list)),
                ('applied_at', models.DateTimeField(null=True)),
                ('applied_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='ValidatedProduct',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='validated_products', to='suppliers.supplieraccount')),
                ('external_id', models.CharField(max_length=100)),
                ('region', models.CharField(max_length=20)),
                ('currency', models.CharField(max_length=3)),
                ('denomination_minor', models.BigIntegerField()),
                ('probe', models.CharField(max_length=40)),
                ('validated_at', models.DateTimeField()),
                ('taken_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('taken_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('account', 'external_id'), name='a_product_is_validated_once')],
            },
        ),
    ]
