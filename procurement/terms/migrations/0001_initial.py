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
            name='Statement',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='statements', to='suppliers.supplieraccount')),
                ('register', models.CharField(choices=[('identity', 'Who the supplier is'), ('quote', 'Terms of the quote'), ('limit', 'Limits and windows'), ('field', 'Fields in production'), ('behaviour', 'How the API behaves')], max_length=10)),
                ('kind', models.CharField(max_length=40)),
                ('value', models.CharField(max_length=300)),
                ('source', models.CharField(choices=[('message', 'E-mail or ticket'), ('contract', 'Contract or quote'), ('call', 'Call'), ('observed', 'Seen by us'), ('page', 'Public page')], max_length=10)),
                ('reference', models.CharField(max_length=200)),
                ('stated_on', models.DateField()),
                ('expires_on', models.DateField(null=True)),
                ('state', models.CharField(default='not_confirmed', max_length=14)),
                ('version', models.PositiveIntegerField(default=1)),
                ('recorded_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('confirmed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('confirmed_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ('-recorded_at', '-pk'),
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'superseded'), _negated=True), fields=('account', 'kind'), name='one_statement_of_a_kind_stands'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'confirmed'), _negated=True), models.Q(('confirmed_by__isnull', False), models.Q(('confirmed_by', models.F('recorded_by')), _negated=True)), _connector='OR'), name='a_statement_is_confirmed_by_another'), models.CheckConstraint(condition=models.Q(models.Q(('register', 'quote'), _negated=True), ('expires_on__isnull', False), _connector='OR'), name='a_term_of_a_quote_expires'), models.CheckConstraint(condition=models.Q(('register', 'quote'), ('source', 'page'), ('state', 'confirmed'), _negated=True), name='no_page_confirms_a_term_of_a_quote')],
            },
        ),
        migrations.CreateModel(
            name='Question',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='questions', to='suppliers.supplieraccount')),
                ('before', models.CharField(choices=[('money', 'Money'), ('engineering', 'Engineering time'), ('promise', 'A promise to customers')], max_length=12)),
                ('question', models.CharField(max_length=300)),
                ('answer', models.CharField(blank=True, max_length=600)),
                ('control', models.CharField(blank=True, max_length=600)),
                ('state', models.CharField(default='open', max_length=10)),
                ('version', models.PositiveIntegerField(default=1)),
                ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('answered_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('answered_at', models.DateTimeField(null=True)),
                ('checked_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('checked_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ('asked_at', 'pk'),
                'constraints': [models.UniqueConstraint(fields=('account', 'question'), name='a_question_stands_once'), models.CheckConstraint(condition=models.Q(models.Q(('state__in', ['answered', 'checked']), _negated=True), models.Q(models.Q(('answer', ''), _negated=True), models.Q(('control', ''), _negated=True)), _connector='OR'), name='an_answer_names_its_control'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'checked'), _negated=True), models.Q(('checked_by__isnull', False), models.Q(('checked_by', models.F('answered_by')), _negated=True)), _connector='OR'), name='an_answer_is_checked_by_another')],
            },
        ),
        migrations.CreateModel(
            name='PriceList',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='price_lists', to='suppliers.supplieraccount')),
                ('state', models.CharField(default='asked', max_length=10)),
                ('version', models.PositiveIntegerField(default=1)),
                ('asked_how', models.CharField(max_length=200)),
                ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('received_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('received_at', models.DateTimeField(null=True)),
                ('valid_until', models.DateField(null=True)),
                ('file_name', models.CharField(blank=True, max_length=120)),
                ('content', models.BinaryField(default=b'')),
                ('sha256', models.CharField(blank=True, max_length=64)),
            ],
            options={
                'ordering': ('-asked_at', '-pk'),
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('state', 'received'), _negated=True), models.Q(models.Q(('sha256', ''), _negated=True), ('received_by__isnull', False)), _connector='OR'), name='a_received_list_is_kept')],
            },
        ),
        migrations.CreateModel(
            name='AccessRequest',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='access_requests', to='suppliers.supplieraccount')),
                ('company', models.CharField(max_length=120, verbose_name='Company')),
                ('company_details', models.CharField(max_length=600, verbose_name='Company details')),
                ('business_account', models.CharField(max_length=120, verbose_name='Business account')),
                ('buyer_type', models.CharField(choices=[('retailer', 'Retailer'), ('marketplace', 'Marketplace seller'), ('distributor', 'Distributor')], max_length=12, verbose_name='Buyer type')),
                ('expected_volume', models.CharField(max_length=200, verbose_name='Expected volume')),
                ('monthly_volume', models.CharField(max_length=120, verbose_name='Monthly volume')),
                ('regions', models.CharField(max_length=200, verbose_name='Regions')),
                ('use_case', models.CharField(max_length=600, verbose_name='Integration use case')),
                ('payment_preference', models.CharField(max_length=120, verbose_name='Payment preference')),
                ('delivery', models.CharField(choices=[('api', 'API'), ('manual', 'Manual'), ('both', 'API, with manual delivery as a fallback')], max_length=10, verbose_name='Delivery')),
                ('state', models.CharField(default='prepared', max_length=10)),
                ('version', models.PositiveIntegerField(default=1)),
                ('prepared_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('prepared_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('ticket', models.CharField(blank=True, max_length=80)),
                ('answer', models.CharField(blank=True, max_length=300)),
            ],
            options={
                'ordering': ('-prepared_at', '-pk'),
                'constraints': [models.UniqueConstraint(condition=models.Q(('state__in', ['issued', 'refused']), _negated=True), fields=('account',), name='one_access_request_under_way')],
            },
        ),
    ]
