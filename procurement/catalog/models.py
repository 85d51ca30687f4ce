"""What can be bought (products), what is sold (SKUs), and which product serves which SKU (mappings)."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from procurement.catalog.states import MAPPING
from procurement.states import Status


class Product(models.Model):
    """A supplier's product. `external_id` is an opaque key; region and denomination are their own fields (R1, R6)."""

    account = models.ForeignKey("suppliers.SupplierAccount", on_delete=models.PROTECT, related_name="products")
    external_id = models.CharField(max_length=100)
    name = models.CharField(max_length=200)
    # The supplier's region label, kept unchanged up to the claim (R4).
    region = models.CharField(max_length=20)
    currency = models.CharField(max_length=3)
    denomination_minor = models.BigIntegerField()
    active = models.BooleanField(default=True)
    # The last reading; every change of cost is kept in PriceObservation.
    cost_minor = models.BigIntegerField(null=True)
    cost_currency = models.CharField(max_length=3, blank=True)
    stock = models.IntegerField(null=True)
    read_at = models.DateTimeField(null=True)
    # Until when the supplier keeps to this price; null = not stated (R12, R13).
    quoted_until = models.DateTimeField(null=True)
    first_seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "external_id"], name="one_product_for_each_key"),
            models.CheckConstraint(condition=Q(denomination_minor__gt=0), name="product_has_a_face_value"),
        ]
        indexes = [models.Index(fields=["region", "currency", "denomination_minor"], name="product_by_face")]

    def __str__(self) -> str:
        return self.name


class PriceObservation(models.Model):
    """What a product cost and how many were in stock when it was read; kept whenever the cost changed."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="prices")
    cost_minor = models.BigIntegerField()
    cost_currency = models.CharField(max_length=3)
    stock = models.IntegerField(null=True)
    observed_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["product", "observed_at"], name="price_by_product")]

    def __str__(self) -> str:
        return f"{self.product} {self.observed_at:%Y-%m-%d %H:%M}"


class CatalogReading(models.Model):
    """How the last reading of an account's product list went; a failed one leaves the last good prices (R7)."""

    account = models.OneToOneField(
        "suppliers.SupplierAccount", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    # When the last good reading began, how many products it held, and what the latest attempt failed of.
    read_at = models.DateTimeField(null=True)
    count = models.PositiveIntegerField(default=0)
    tried_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=300, blank=True)
    asked_at = models.DateTimeField(null=True)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    def __str__(self) -> str:
        return f"Products of {self.account}"


class Sku(models.Model):
    """A storefront's article: the region, currency and face value as sold to customers."""

    code = models.CharField(max_length=64, unique=True)
    title = models.CharField(max_length=200)
    region = models.CharField(max_length=2)
    currency = models.CharField(max_length=3)
    face_minor = models.BigIntegerField()
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(face_minor__gt=0), name="sku_has_a_face_value")]

    def __str__(self) -> str:
        return self.code


class Mapping(models.Model):
    """One version of "this SKU is served by this product". An order keeps the version it was placed under."""

    sku = models.ForeignKey(Sku, on_delete=models.PROTECT, related_name="mappings")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="mappings")
    account = models.ForeignKey("suppliers.SupplierAccount", on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=12, default="draft")
    version = models.PositiveIntegerField(default=1)
    drafted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    drafted_at = models.DateTimeField(default=timezone.now)
    activated_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    activated_at = models.DateTimeField(null=True)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sku", "number"], name="mapping_versions_are_numbered"),
            # Two people who propose at the same moment draft it once.
            models.UniqueConstraint(
                fields=["sku", "product"], condition=Q(state__in=["draft", "active"]), name="one_open_mapping_of_a_pair"
            ),
            # Two active mappings of one SKU at one supplier would make the order's product a matter of chance.
            models.UniqueConstraint(fields=["sku", "account"], condition=Q(state="active"), name="one_active_mapping"),
            models.CheckConstraint(
                condition=Q(activated_by__isnull=True) | Q(drafted_by__isnull=True) | ~Q(activated_by=F("drafted_by")),
                name="mapping_needs_a_second_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sku} v{self.number}"

    @property
    def status(self) -> Status:
        return MAPPING.statuses[self.state]


class SkuImport(models.Model):
    """An uploaded SKU list and what importing it would do, line by line; nothing is changed before `applied_at`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    file_name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    uploaded_at = models.DateTimeField(default=timezone.now)
    # How the file itself was read: its separator, its byte-order mark, columns left out.
    notes: models.JSONField[list[str], list[str]] = models.JSONField(default=list)
    # One dict for each line, as `skulist.judging.Line` describes it.
    lines: models.JSONField[list[dict[str, Any]], list[dict[str, Any]]] = models.JSONField(default=list)
    applied_at = models.DateTimeField(null=True)
    applied_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    def __str__(self) -> str:
        return self.file_name


class ValidatedProduct(models.Model):
    """The fields of a product as a probe of the supplier's sandbox read them; a live account orders nothing else (R5).

    The sandbox is an installation of its own, so they come here as a file of a probe that passed.
    """

    account = models.ForeignKey(
        "suppliers.SupplierAccount", on_delete=models.PROTECT, related_name="validated_products"
    )
    external_id = models.CharField(max_length=100)
    region = models.CharField(max_length=20)
    currency = models.CharField(max_length=3)
    denomination_minor = models.BigIntegerField()
    # The probe in the sandbox: its id and when it read the products; and who took its file in here, and when.
    probe = models.CharField(max_length=40)
    validated_at = models.DateTimeField()
    taken_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    taken_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "external_id"], name="a_product_is_validated_once"),
        ]

    def __str__(self) -> str:
        return f"{self.external_id} of {self.account}"
