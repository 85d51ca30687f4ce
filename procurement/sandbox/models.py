"""What the sandbox remembers: accounts, stock, orders, codes, claims, armed faults, webhooks to send, requests seen."""
# ruff: noqa: DJ001, DJ008 - no admin prints these rows, and "no key given" must not collide as an empty text would

from __future__ import annotations

from django.db import connection, models
from django.db.models import Q

COUNT_ON = {
    "orders_made": "UPDATE sandbox_world SET orders_made = orders_made + %s RETURNING orders_made",
    "codes_made": "UPDATE sandbox_world SET codes_made = codes_made + %s RETURNING codes_made",
}
SUPPLIERS = {"alpha": "Alpha PSN", "psnb2b": "PSN:B2B"}


class World(models.Model):
    """The one row of settings and counters."""

    seed = models.IntegerField(default=1)
    orders_made = models.IntegerField(default=0)
    codes_made = models.IntegerField(default=0)
    clock_offset_seconds = models.FloatField(default=0)
    clock_frozen_at = models.DateTimeField(null=True)
    limits_enabled = models.BooleanField(default=True)
    loop_enabled = models.BooleanField(default=True)
    webhook_retry_seconds = models.FloatField(default=10)

    class Meta:
        app_label = "sandbox"

    @classmethod
    def load(cls) -> World:
        return cls.objects.get_or_create(pk=1)[0]

    @classmethod
    def take_numbers(cls, counter: str, count: int = 1) -> int:
        """Take `count` numbers of a counter that no other request gets; the first of them."""
        with connection.cursor() as cursor:
            # One statement: the ORM would need an update and a read in a transaction.
            cursor.execute(COUNT_ON[counter], [count])
            first: int = cursor.fetchone()[0] - count
        return first


class Account(models.Model):
    """Our buyer's account at one supplier."""

    supplier = models.CharField(max_length=10, primary_key=True)
    api_keys = models.JSONField(default=list)
    webhook_secret = models.CharField(max_length=200)
    webhook_url = models.CharField(max_length=500, blank=True)
    delivery_delay_seconds = models.FloatField(default=1)
    tier_name = models.CharField(max_length=40, blank=True)
    tier_basis_points = models.IntegerField(default=0)

    class Meta:
        app_label = "sandbox"

    def __str__(self) -> str:
        return SUPPLIERS[self.supplier]


class Balance(models.Model):
    account = models.ForeignKey(Account, models.CASCADE)
    currency = models.CharField(max_length=3)
    minor = models.BigIntegerField(default=0)

    class Meta:
        app_label = "sandbox"
        constraints = [
            models.UniqueConstraint(fields=["account", "currency"], name="one_balance_per_currency"),
            models.CheckConstraint(condition=Q(minor__gte=0), name="balance_never_negative"),
        ]


class Product(models.Model):
    account = models.ForeignKey(Account, models.CASCADE)
    key = models.CharField(max_length=40)
    name = models.CharField(max_length=100)
    region = models.CharField(max_length=2)
    currency = models.CharField(max_length=3)
    denomination = models.IntegerField(help_text="Face value in major units.")
    unit_minor = models.IntegerField(help_text="List price in cents of the settlement currency.")
    stock = models.IntegerField(null=True, help_text="Empty: the supplier does not say, and never runs out.")

    class Meta:
        app_label = "sandbox"
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["account", "key"], name="product_key_once")]


class Order(models.Model):
    account = models.ForeignKey(Account, models.CASCADE)
    remote_id = models.CharField(max_length=40, unique=True)
    client_order_id = models.CharField(max_length=64, null=True)
    idempotency_key = models.CharField(max_length=128, null=True)
    asked_by = models.CharField(max_length=64, blank=True, help_text="The X-Request-Id of the POST that made it.")
    product_key = models.CharField(max_length=40)
    region = models.CharField(max_length=2)
    denomination = models.IntegerField()
    quantity = models.IntegerField()
    unit_minor = models.IntegerField()
    total_minor = models.BigIntegerField()
    refunded_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3, default="USD")
    status = models.CharField(max_length=20)
    plan = models.JSONField(default=list, help_text="Coming states: [status, moment] pairs.")
    next_at = models.DateTimeField(null=True, db_index=True)
    script = models.JSONField(default=dict, help_text="Faults this order plays, by kind.")
    created_at = models.DateTimeField(db_index=True)
    delivered_quantity = models.IntegerField(default=0)
    delivered_at = models.DateTimeField(null=True)
    failure_reason = models.CharField(max_length=200, null=True)

    class Meta:
        app_label = "sandbox"
        constraints = [
            # R22, R23: one order for each key, and one for each reference.
            models.UniqueConstraint(fields=["account", "idempotency_key"], name="one_order_per_key"),
            models.UniqueConstraint(fields=["account", "client_order_id"], name="one_order_per_reference"),
        ]


class Movement(models.Model):
    """One change of a balance, in cents; the truth that a reconciliation is tested against."""

    account = models.ForeignKey(Account, models.CASCADE)
    currency = models.CharField(max_length=3)
    minor = models.BigIntegerField()
    kind = models.CharField(max_length=12)
    order = models.ForeignKey(Order, models.CASCADE, null=True)
    reference = models.CharField(max_length=80, blank=True)
    at = models.DateTimeField()

    class Meta:
        app_label = "sandbox"


class Code(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="codes")
    value = models.CharField(max_length=20, db_index=True)
    region = models.CharField(max_length=2)
    serial = models.CharField(max_length=20)

    class Meta:
        app_label = "sandbox"
        ordering = ["id"]


class Claim(models.Model):
    remote_id = models.CharField(max_length=40, unique=True)
    code = models.OneToOneField(Code, models.CASCADE)
    reason = models.CharField(max_length=20)
    description = models.TextField(blank=True)
    state = models.CharField(max_length=10, default="received")
    replacement = models.CharField(max_length=20, blank=True)
    created_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "sandbox"


class Fault(models.Model):
    supplier = models.CharField(max_length=10)
    kind = models.CharField(max_length=40)
    remaining = models.IntegerField(null=True, help_text="Empty: until cleared.")
    taken = models.IntegerField(default=0)
    params = models.JSONField(default=dict)
    armed_at = models.DateTimeField()

    class Meta:
        app_label = "sandbox"
        ordering = ["id"]


class Webhook(models.Model):
    """One event to deliver, tried until a 2xx or 24 hours after it happened."""

    account = models.ForeignKey(Account, models.CASCADE)
    order = models.ForeignKey(Order, models.CASCADE)
    event_id = models.CharField(max_length=40)
    status = models.CharField(max_length=20)
    previous_status = models.CharField(max_length=20)
    flaw = models.CharField(max_length=20, blank=True)
    happened_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, db_index=True, help_text="Empty: taken, or given up.")
    tries = models.IntegerField(default=0)
    answer = models.CharField(max_length=80, blank=True)

    class Meta:
        app_label = "sandbox"


class RequestLog(models.Model):
    """One request seen; no key and no code in clear."""

    supplier = models.CharField(max_length=10)
    key_tail = models.CharField(max_length=4, blank=True)
    key_digest = models.CharField(max_length=16, blank=True)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=300)
    body = models.TextField(blank=True)
    is_order = models.BooleanField(default=False)
    status = models.IntegerField(null=True)
    refused_by_limit = models.BooleanField(default=False)
    faults = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()

    class Meta:
        app_label = "sandbox"
        indexes = [models.Index(fields=["key_digest", "at"], name="request_window")]
