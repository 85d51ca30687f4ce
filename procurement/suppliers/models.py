"""Supplier accounts, what was said to and by them, and how often we may speak."""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.db import models
from django.utils import timezone

from procurement.states import Status
from procurement.suppliers.states import ACCOUNT, BEING_HANDLED, KEY_REFUSED, LIVE, WEBHOOK_RESULTS
from procurement.suppliers.words import in_words, tier_in_words
from procurement.vault import Context, Purpose, Secret, open_sealed
from procurement.web.subjects import SubjectLink

ALPHA, PSNB2B = "alpha", "psnb2b"
DIALECTS = ((ALPHA, "Alpha PSN"), (PSNB2B, "PSN:B2B"))
SANDBOX, REAL = "sandbox", "live"
ENVIRONMENTS = ((SANDBOX, "Sandbox"), (REAL, "Live"))


def new_hook_slug() -> str:
    """128 random bits: knowing a webhook address is already a first secret."""
    return secrets.token_urlsafe(16)


class SupplierAccount(models.Model):
    """One account at one supplier: where it is, its credentials (sealed), and whether we use it now."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    dialect = models.CharField(max_length=10, choices=DIALECTS)
    environment = models.CharField(max_length=10, choices=ENVIRONMENTS, default=SANDBOX)
    base_url = models.URLField(max_length=200)
    settlement_currency = models.CharField(max_length=3)

    state = models.CharField(max_length=12, default=LIVE)
    version = models.PositiveIntegerField(default=0)
    paused_reason = models.CharField(max_length=300, blank=True)
    blocked_until = models.DateTimeField(null=True)
    failures_in_row = models.PositiveIntegerField(default=0)
    # While it is down: balance readings tried so far, and when the next may be.
    probes = models.PositiveSmallIntegerField(default=0)
    probe_at = models.DateTimeField(null=True)

    settings = models.JSONField(default=dict)
    webhook_scheme = models.JSONField(default=dict)
    hook_slug = models.CharField(max_length=40, unique=True, default=new_hook_slug)
    hook_registration = models.CharField(max_length=200, blank=True)
    # While a calibration gathers deliveries; on the account, so that a message need not ask for it.
    capture_until = models.DateTimeField(null=True)

    api_key_sealed = models.BinaryField(default=b"")
    api_key_last4 = models.CharField(max_length=4, blank=True)
    api_key_set_at = models.DateTimeField(null=True)
    # A tested key held beside the present one, sealed as the API key it becomes at `next_key_from` (R102).
    next_key_sealed = models.BinaryField(default=b"")
    next_key_last4 = models.CharField(max_length=4, blank=True)
    next_key_set_at = models.DateTimeField(null=True)
    next_key_from = models.DateTimeField(null=True)
    webhook_secret_sealed = models.BinaryField(default=b"")
    webhook_secret_last4 = models.CharField(max_length=4, blank=True)
    webhook_secret_set_at = models.DateTimeField(null=True)
    webhook_previous_sealed = models.BinaryField(default=b"")
    webhook_previous_until = models.DateTimeField(null=True)

    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("name", "code")
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=list(ACCOUNT.statuses)), name="account_state_is_known"),
            # A key without a time would never be used, and a time without a key would leave the account without any.
            models.CheckConstraint(
                condition=models.Q(next_key_last4="", next_key_from__isnull=True)
                | (~models.Q(next_key_last4="") & models.Q(next_key_from__isnull=False)),
                name="next_key_has_its_time",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def status(self) -> Status:
        return ACCOUNT.statuses[self.state]

    @property
    def is_sandbox(self) -> bool:
        return self.environment == SANDBOX

    @property
    def needs_new_key(self) -> bool:
        return self.state == KEY_REFUSED

    @property
    def has_key(self) -> bool:
        return bool(self.api_key_sealed)

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).netloc

    def sealed_key(self, now: datetime) -> bytes:
        """The API key to call with at `now`: the held one from its time on, whether or not anybody moved it yet (R102)."""
        return bytes(self.next_key_sealed if self.next_key_from and now >= self.next_key_from else self.api_key_sealed)

    def context(self, column: str) -> Context:
        """Where a credential is sealed to: this account at this host; a changed address voids the key (R103)."""
        return Context("supplier_account", column, str(self.pk), supplier=f"{self.dialect}@{self.host}")

    def open_webhook_secret(self) -> Secret:
        return open_sealed(self.webhook_secret_sealed, purpose=Purpose.WEBHOOK, context=self.context("webhook_secret"))

    def open_webhook_secrets(self, now: datetime) -> dict[str, Secret]:
        """The secrets that may sign a message at `now`, by name: the present one, and the one before while it lasts."""
        found = {"present secret": self.open_webhook_secret()} if self.webhook_secret_sealed else {}
        if self.webhook_previous_sealed and self.webhook_previous_until and now < self.webhook_previous_until:
            context = self.context("webhook_previous")
            found["previous secret"] = open_sealed(
                self.webhook_previous_sealed, purpose=Purpose.WEBHOOK, context=context
            )
        return found


class BalanceSnapshot(models.Model):
    """What a supplier said our balance was, in minor units; rows are added, never changed, and thinned when old."""

    account = models.ForeignKey(SupplierAccount, on_delete=models.PROTECT, related_name="snapshots")
    currency = models.CharField(max_length=3)
    available = models.BigIntegerField()
    reserved = models.BigIntegerField(default=0)
    tier_name = models.CharField(max_length=60, blank=True)
    tier_discount_bp = models.PositiveIntegerField(null=True)
    taken_at = models.DateTimeField(default=timezone.now)
    request_id = models.UUIDField()

    class Meta:
        indexes = [
            models.Index(fields=["account", "currency", "taken_at"], name="balance_over_time"),
            models.Index(fields=["account", "-taken_at", "-id"], name="balance_newest_first"),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.currency} at {self.taken_at:%Y-%m-%d %H:%M}"

    @property
    def tier(self) -> str:
        return tier_in_words(self.tier_name, self.tier_discount_bp)


class Exchange(models.Model):
    """One HTTP call to a supplier and what came of it, with codes masked and without any key (R27, R29, R41)."""

    account = models.ForeignKey(SupplierAccount, on_delete=models.PROTECT, related_name="exchanges")
    request_id = models.UUIDField(unique=True)
    response_id = models.CharField(max_length=100, blank=True)
    purpose = models.CharField(max_length=30)
    method = models.CharField(max_length=6)
    path = models.CharField(max_length=300)
    subject_kind = models.CharField(max_length=40, blank=True)
    subject_id = models.CharField(max_length=64, blank=True)
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField(null=True)
    # Null while the call is under way: a row that stays so belongs to a process that died in it.
    sent = models.BooleanField(null=True)
    status = models.PositiveSmallIntegerField(null=True)
    remaining_calls = models.PositiveIntegerField(null=True)
    retry_after = models.CharField(max_length=60, blank=True)
    # The same thing was asked for before: such calls must stay few, or an outage is made worse.
    repeated = models.BooleanField(default=False)
    outcome = models.CharField(max_length=20, default="under way")
    error_class = models.CharField(max_length=60, blank=True)
    request_body = models.TextField(blank=True)
    response_body = models.TextField(blank=True)
    # What the call was for, as people call it; put there by the queries of pages.
    subject: SubjectLink | None = None

    class Meta:
        indexes = [
            models.Index(fields=["account", "-started_at"], name="exchanges_by_account"),
            models.Index(fields=["subject_kind", "subject_id"], name="exchanges_by_subject"),
            # Not every supplier states what remains: without this, one that never does is searched to its first call.
            models.Index(
                fields=["account", "-started_at"],
                condition=models.Q(remaining_calls__isnull=False),
                name="exchanges_stating_calls",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.answer_words}"

    @property
    def answer_words(self) -> str:
        """The status, or why there is none; the error's own name stands with the evidence only."""
        if self.status is not None:
            return str(self.status)
        return self.error_words or self.outcome

    @property
    def error_words(self) -> str:
        return in_words(self.error_class) if self.error_class else ""


class WebhookEvent(models.Model):
    """One message a supplier sent, or somebody in its name; kept also when refused (R46, R49)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(SupplierAccount, on_delete=models.PROTECT, related_name="webhook_events")
    received_at = models.DateTimeField(default=timezone.now)
    dedupe_key = models.CharField(max_length=160)
    event_id = models.CharField(max_length=100, blank=True)
    event_type = models.CharField(max_length=60, blank=True)
    remote_order_id = models.CharField(max_length=100, blank=True)
    remote_status = models.CharField(max_length=60, blank=True)
    occurred_at = models.DateTimeField(null=True)
    result = models.CharField(max_length=16, default=BEING_HANDLED)
    result_note = models.CharField(max_length=300, blank=True)
    checks = models.JSONField(default=list)
    headers = models.JSONField(default=dict)
    body_sealed = models.BinaryField(default=b"")
    body_sha256 = models.CharField(max_length=64)
    size = models.PositiveIntegerField()
    # Which secret made the signature: "present secret" or "previous secret"; empty for a message not proven.
    signed_by = models.CharField(max_length=20, blank=True)
    duplicates = models.PositiveIntegerField(default=0)
    last_duplicate_at = models.DateTimeField(null=True)
    applied_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # The same event sent again is one event: the second INSERT fails and only counts (R53).
            models.UniqueConstraint(fields=["account", "dedupe_key"], name="one_row_for_each_event"),
        ]
        indexes = [
            models.Index(fields=["account", "remote_order_id"], name="events_by_order"),
            models.Index(fields=["-received_at"], name="events_by_time"),
            models.Index(fields=["event_id"], name="events_by_id"),
            models.Index(fields=["account", "-received_at"], name="events_by_account"),
            models.Index(fields=["result", "-received_at"], name="events_by_result"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type or 'event'} {self.remote_order_id or self.pk}"

    @property
    def status(self) -> Status:
        return WEBHOOK_RESULTS[self.result]

    def context(self) -> Context:
        return Context("webhook_event", "body", str(self.pk), supplier=str(self.account_id))


class RefusedCount(models.Model):
    """How many messages an account refused on a day (UTC); rows are kept for the first thousand only."""

    account = models.ForeignKey(SupplierAccount, on_delete=models.PROTECT, related_name="+")
    day = models.DateField()
    count = models.PositiveIntegerField(default=0)
    # Came too fast and was not looked at; never a row.
    throttled = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "day"], name="one_refused_count_a_day")]

    def __str__(self) -> str:
        return f"{self.account} {self.day}: {self.count}"


class WebhookCalibration(models.Model):
    """One search for an account's webhook scheme: who began it, what was proposed, who decided, and how it ended."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(SupplierAccount, on_delete=models.PROTECT, related_name="calibrations")
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField(default=timezone.now)
    # Empty: messages are taken as unverified hints. Null: nothing is proposed yet.
    proposal = models.JSONField(null=True)
    proof = models.CharField(max_length=300, blank=True)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(null=True)
    pinned = models.BooleanField(default=False)

    class Meta:
        indexes = [models.Index(fields=["account", "-started_at"], name="calibrations_by_account")]
        constraints = [
            models.UniqueConstraint(
                fields=["account"], condition=models.Q(ended_at__isnull=True), name="one_open_calibration"
            ),
            models.CheckConstraint(
                condition=models.Q(pinned=False) | ~models.Q(decided_by=models.F("proposed_by")),
                name="scheme_pinned_by_two_people",
            ),
        ]

    def __str__(self) -> str:
        return f"Calibration of {self.account}"


class CapturedDelivery(models.Model):
    """One message kept whole while a calibration runs: headers, signature and body, sealed; gone when it ends."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    calibration = models.ForeignKey(WebhookCalibration, on_delete=models.CASCADE, related_name="deliveries")
    received_at = models.DateTimeField(default=timezone.now)
    sealed = models.BinaryField()
    size = models.PositiveIntegerField()

    class Meta:
        ordering = ("received_at", "pk")

    def __str__(self) -> str:
        return f"{self.size} bytes at {self.received_at:%Y-%m-%d %H:%M}"

    def context(self) -> Context:
        return Context("captured_delivery", "message", str(self.pk), supplier=str(self.calibration_id))


LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class CallPlace(models.Model):
    """One place of a limit of an account: a call holds it, and for a whole window after its end nobody else may."""

    account = models.ForeignKey(SupplierAccount, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=20)
    number = models.PositiveSmallIntegerField()
    free_at = models.DateTimeField(default=LONG_AGO)
    # While a call is under way `free_at` supposes the longest; its end brings it forward.
    in_call = models.BooleanField(default=False)

    class Meta:
        constraints = [
            # A place counted twice would be one call too many.
            models.UniqueConstraint(fields=["account", "name", "number"], name="one_row_for_each_place"),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.name} {self.number}"
