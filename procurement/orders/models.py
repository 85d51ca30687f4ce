"""Orders, the attempts to place them, what was delivered, and the codes."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from procurement.orders.custody import CodeImport, DeliveryFile, DeliveryLine, ImportedCode, Reveal, RevealAlert
from procurement.orders.states import ATTEMPT, CODE, ORDER, UNCLAIMED
from procurement.states import Status
from procurement.vault import Context, id_text, month_text

__all__ = [
    "Attempt",
    "Code",
    "CodeImport",
    "Delivery",
    "DeliveryFile",
    "DeliveryLine",
    "ImportedCode",
    "Lane",
    "Order",
    "Resolution",
    "Reveal",
    "RevealAlert",
    "UnclaimedOrder",
]

ACTIVE_ATTEMPT = Q(state__in=["ready", "sending", "unknown", "placed", "placed_no_id"])


class Order(models.Model):
    """A purchase of `quantity` codes of one product for one storefront order.

    What was sold (from the SKU), what was mapped (from the product) and the price are copied when it is drafted and
    frozen with the approval, so that later edits of the catalogue never change what was decided (R4, R15).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    client_order_id = models.CharField(max_length=64, unique=True)
    sku = models.ForeignKey("catalog.Sku", on_delete=models.PROTECT, related_name="orders")
    mapping = models.ForeignKey("catalog.Mapping", on_delete=models.PROTECT, related_name="orders")
    product = models.ForeignKey("catalog.Product", on_delete=models.PROTECT, related_name="orders")
    account = models.ForeignKey("suppliers.SupplierAccount", on_delete=models.PROTECT, related_name="orders")
    sold_region = models.CharField(max_length=2)
    sold_currency = models.CharField(max_length=3)
    sold_face_minor = models.BigIntegerField()
    region = models.CharField(max_length=20)
    face_currency = models.CharField(max_length=3)
    face_minor = models.BigIntegerField()
    quantity = models.PositiveIntegerField()
    unit_cost_minor = models.BigIntegerField()
    cost_currency = models.CharField(max_length=3)
    price_read_at = models.DateTimeField()
    purpose = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=20, default="draft", db_index=True)
    version = models.PositiveIntegerField(default=1)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    approval = models.ForeignKey("approvals.ApprovalRequest", on_delete=models.PROTECT, null=True, related_name="+")
    approved_at = models.DateTimeField(null=True)
    remote_id = models.CharField(max_length=100, blank=True)
    remote_status = models.CharField(max_length=40, blank=True)
    placed_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    # The earliest proof that the codes could be had; the seven days of a claim run from here (N3).
    available_at = models.DateTimeField(null=True)
    total_cost_minor = models.BigIntegerField(null=True)
    refunded_minor = models.BigIntegerField(default=0)
    delivered_quantity = models.PositiveIntegerField(default=0)
    code_fetches = models.PositiveIntegerField(default=0)
    checked_at = models.DateTimeField(null=True)
    # How often the supplier's word went back to an earlier one (R57).
    setbacks = models.PositiveIntegerField(default=0)
    problem = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gt=0), name="order_has_a_quantity"),
            models.CheckConstraint(condition=Q(unit_cost_minor__gt=0), name="order_has_a_cost"),
            # One order of ours for each order of theirs: a second row would mean a purchase booked twice.
            models.UniqueConstraint(
                fields=["account", "remote_id"], condition=~Q(remote_id=""), name="one_order_for_each_remote_id"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["placed", "paid", "delivered", "partial", "codes_stored", "supplier_failed"])
                | ~Q(remote_id=""),
                name="placed_orders_have_a_remote_id",
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="order_newest_first"),
            models.Index(fields=["state", "-created_at"], name="order_by_state"),
            models.Index(fields=["placed_at"], name="order_by_placing"),
            models.Index(fields=["remote_id"], name="order_by_remote_id"),
        ]

    def __str__(self) -> str:
        return self.client_order_id

    @property
    def status(self) -> Status:
        return ORDER.statuses[self.state]

    @property
    def max_total_minor(self) -> int:
        """The most this order may cost: what was shown when it was asked for."""
        return self.unit_cost_minor * self.quantity


class Attempt(models.Model):
    """One intended paid POST: its key and its very bytes are stored before anything is sent, and never change (R20, R21)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="attempts")
    account = models.ForeignKey("suppliers.SupplierAccount", on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField()
    idempotency_key = models.CharField(max_length=64, unique=True)
    body = models.BinaryField()
    body_sha256 = models.CharField(max_length=64)
    # What was approved, as it was then; compared with the order once more before anything leaves (R15).
    approved: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    state = models.CharField(max_length=20, default="ready")
    version = models.PositiveIntegerField(default=1)
    tries = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)
    deadline = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    verdict = models.CharField(max_length=500, blank=True)
    balance_before_minor = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order", "number"], name="attempts_are_numbered"),
            # At most one attempt of an order may ever have reached the supplier or still reach it (I1).
            models.UniqueConstraint(
                fields=["order"], condition=ACTIVE_ATTEMPT, name="one_active_attempt_for_each_order"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order} attempt {self.number}"

    @property
    def status(self) -> Status:
        return ATTEMPT.statuses[self.state]


class Resolution(models.Model):
    """What one person says became of an unconfirmed order, and whether a second one agreed."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="resolutions")
    verdict = models.CharField(
        max_length=16,
        choices=[
            ("placed", "Placed"),
            ("not_placed", "Not placed"),
            ("paid_no_goods", "Paid, goods not received"),
            ("refunded", "Paid back"),
            ("accepted", "Accepted"),
        ],
    )
    remote_id = models.CharField(max_length=100, blank=True)
    reason = models.TextField()
    # What spoke against the verdict when it was proposed; whoever proposed it said that they knew.
    against = models.TextField(blank=True)
    state = models.CharField(max_length=12, default="open")
    # Who asked for the order, so that the database can keep them from judging it.
    requester = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(default=timezone.now)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["order"], condition=Q(state="open"), name="one_open_proposal_for_each_order"
            ),
            # Money is freed or spent by this: two people, whatever the code above does.
            models.CheckConstraint(
                condition=~Q(state="confirmed") | (Q(decided_by__isnull=False) & ~Q(decided_by=F("proposed_by"))),
                name="an_outcome_needs_a_second_person",
            ),
            # Who spent the money never says what became of it.
            models.CheckConstraint(
                condition=Q(requester__isnull=True) | ~Q(proposed_by=F("requester")),
                name="a_requester_proposes_no_outcome",
            ),
            models.CheckConstraint(
                condition=~Q(state="confirmed") | Q(requester__isnull=True) | ~Q(decided_by=F("requester")),
                name="a_requester_confirms_no_outcome",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order}: {self.words}"

    @property
    def words(self) -> str:
        """The verdict as the rest of a sentence."""
        return {
            "placed": f"the supplier took it as {self.remote_id}",
            "not_placed": "the supplier did not take it",
            "paid_no_goods": "the supplier took the money, and the goods were not received",
            "refunded": "the supplier paid it back",
            "accepted": "what the supplier says is accepted, and the order goes on",
        }[self.verdict]


class UnclaimedOrder(models.Model):
    """A supplier's order that no order of ours carries: an incident until it is bound, adopted or dismissed (I1, I2).

    What is known of it was read at the supplier under our key; until `read_at` is set, only its id is. `second_of` is an
    order of ours that two people ended as not placed and that it fits: then it may be a second purchase.
    """

    account = models.ForeignKey("suppliers.SupplierAccount", on_delete=models.PROTECT, related_name="+")
    remote_id = models.CharField(max_length=100)
    state = models.CharField(max_length=12, default="open")
    version = models.PositiveIntegerField(default=1)
    seen_by = models.CharField(
        max_length=8,
        choices=[
            ("event", "a webhook"),
            ("list", "the supplier's list of orders"),
            ("answer", "an answer to an order of ours"),
            ("person", "a person"),
        ],
    )
    first_seen_at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=500, blank=True)
    remote_status = models.CharField(max_length=40, blank=True)
    client_order_id = models.CharField(max_length=100, blank=True)
    external_id = models.CharField(max_length=100, blank=True)
    region = models.CharField(max_length=40, blank=True)
    # Face value in major units of the region's currency, as the supplier wrote it.
    denomination = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    quantity = models.PositiveIntegerField(null=True)
    total_minor = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3, blank=True)
    created_at = models.DateTimeField(null=True)
    second_of = models.ForeignKey(Order, on_delete=models.PROTECT, null=True, related_name="second_purchases")
    # The order of ours that carries it since it was bound or adopted.
    order = models.ForeignKey(Order, on_delete=models.PROTECT, null=True, related_name="+")
    proposal = models.CharField(max_length=12, blank=True, choices=[("adopted", "Adopt"), ("dismissed", "Dismiss")])
    reason = models.TextField(blank=True)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    proposed_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # However often it is seen, it is one incident.
            models.UniqueConstraint(fields=["account", "remote_id"], name="one_row_for_each_unclaimed_order"),
            # To own what nobody ordered, or to say that it is not ours: two people.
            models.CheckConstraint(
                condition=~Q(state__in=["adopted", "dismissed"])
                | (Q(decided_by__isnull=False, proposed_by__isnull=False) & ~Q(decided_by=F("proposed_by"))),
                name="unclaimed_orders_end_by_two_people",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["bound", "adopted"]) | Q(order__isnull=False),
                name="claimed_orders_name_an_order",
            ),
        ]
        indexes = [models.Index(fields=["state", "first_seen_at"], name="unclaimed_by_state")]

    def __str__(self) -> str:
        return f"{self.remote_id} at {self.account}"

    @property
    def status(self) -> Status:
        return UNCLAIMED.statuses[self.state]

    @property
    def is_open(self) -> bool:
        return self.state == "open"


class Lane(models.Model):
    """The order lane of a supplier account that takes no idempotency key: one unresolved paid POST at a time."""

    account = models.OneToOneField(
        "suppliers.SupplierAccount", on_delete=models.PROTECT, primary_key=True, related_name="lane"
    )
    holder = models.ForeignKey(Attempt, on_delete=models.PROTECT, null=True, related_name="+")
    taken_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Lane of {self.account}"


class Delivery(models.Model):
    """One fetch of codes that brought something new: how many, when, and a checksum of the set (R65)."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="deliveries")
    fetched_at = models.DateTimeField(default=timezone.now)
    count = models.PositiveIntegerField()
    checksum = models.CharField(max_length=64)

    class Meta:
        indexes = [models.Index(fields=["fetched_at"], name="delivery_by_time")]
        verbose_name_plural = "deliveries"

    def __str__(self) -> str:
        return f"{self.order}: {self.count} codes"


def place_of_code(pk: Any, account: Any, order: Any, stored_at: Any) -> Context:
    return Context("orders_code", "sealed", id_text(pk), id_text(account), id_text(order), month_text(stored_at))


class Code(models.Model):
    """A code in custody: sealed, found by its keyed index, shown by its last four."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="codes")
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="codes")
    account = models.ForeignKey("suppliers.SupplierAccount", on_delete=models.PROTECT, related_name="+")
    position = models.PositiveIntegerField()
    sealed = models.BinaryField()
    # Keyed hash of the code; UNIQUE over all suppliers, so the same code can't be stored twice (R61).
    fingerprint = models.BinaryField(max_length=32, unique=True)
    # Only while the index key is replaced: the fingerprint under the key before (vault/reindexing.py).
    fingerprint_before = models.BinaryField(max_length=32, null=True)
    last4 = models.CharField(max_length=4, db_index=True)
    serial = models.CharField(max_length=100, blank=True)
    # The region and denomination the supplier states for this very code; blank if it states none.
    region = models.CharField(max_length=20, blank=True)
    face_minor = models.BigIntegerField(null=True)
    state = models.CharField(max_length=20, default="stored")
    version = models.PositiveIntegerField(default=1)
    stored_at = models.DateTimeField(default=timezone.now)
    available_at = models.DateTimeField()
    customer_order = models.CharField(max_length=100, blank=True, db_index=True)
    handed_over_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order", "position"], name="codes_are_numbered"),
            # While the index key is replaced some rows have only the old fingerprint; all of them have that one.
            models.UniqueConstraint(
                Coalesce("fingerprint_before", "fingerprint"), name="a_code_is_stored_once_under_the_key_before_too"
            ),
        ]

    def __str__(self) -> str:
        return f"code ending {self.last4} of {self.order.client_order_id}"

    def context(self) -> Context:
        """Where the sealed code belongs; under any other context it does not open. Its month is that of its delivery."""
        return place_of_code(self.pk, self.account_id, self.order_id, self.stored_at)

    @property
    def is_erased(self) -> bool:
        """Whether nothing but the last four is left of it (decision 17)."""
        return not self.sealed

    @property
    def status(self) -> Status:
        return CODE.statuses[self.state]
