"""What suppliers told us and who stands for it: statements, buyers' questions, price lists, access to the API."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from procurement.states import Status
from procurement.terms.kinds import KINDS, QUOTE, REGISTERS, Kind
from procurement.terms.states import (
    ACCESS,
    ANSWERED,
    CHECKED,
    CONFIRMED,
    EXPIRED,
    ISSUED,
    NOT_CONFIRMED,
    OPEN,
    PREPARED,
    PRICE_LIST,
    QUESTION,
    RECEIVED,
    REFUSED,
    STATEMENT,
    SUPERSEDED,
)

PAGE, MESSAGE, CONTRACT, CALL, OBSERVED = "page", "message", "contract", "call", "observed"
SOURCES = (
    (MESSAGE, "E-mail or ticket"),
    (CONTRACT, "Contract or quote"),
    (CALL, "Call"),
    (OBSERVED, "Seen by us"),
    (PAGE, "Public page"),
)


def person(**options: Any) -> models.ForeignKey[Any, Any]:
    return models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", **options)


def account(related_name: str) -> models.ForeignKey[Any, Any]:
    return models.ForeignKey("suppliers.SupplierAccount", on_delete=models.PROTECT, related_name=related_name)


class Statement(models.Model):
    """What somebody said of one kind, where and when (R11, R12). Never edited: a later statement supersedes it.

    Only a confirmed statement that is not expired holds (R13); `expires_on` is its last day, in UTC.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = account("statements")
    register = models.CharField(max_length=10, choices=list(REGISTERS.items()))
    kind = models.CharField(max_length=40)
    value = models.CharField(max_length=300)
    source = models.CharField(max_length=10, choices=SOURCES)
    reference = models.CharField(max_length=200)
    stated_on = models.DateField()
    expires_on = models.DateField(null=True)
    state = models.CharField(max_length=14, default=NOT_CONFIRMED)
    version = models.PositiveIntegerField(default=1)
    recorded_by = person()
    recorded_at = models.DateTimeField(default=timezone.now)
    confirmed_by = person(null=True)
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-recorded_at", "-pk")
        constraints = [
            # Two statements of one kind would leave to chance which of them holds.
            models.UniqueConstraint(
                fields=["account", "kind"], condition=~Q(state=SUPERSEDED), name="one_statement_of_a_kind_stands"
            ),
            models.CheckConstraint(
                condition=~Q(state=CONFIRMED) | (Q(confirmed_by__isnull=False) & ~Q(confirmed_by=F("recorded_by"))),
                name="a_statement_is_confirmed_by_another",
            ),
            # A quote that never ends would be built on long after the supplier forgot it.
            models.CheckConstraint(
                condition=~Q(register=QUOTE) | Q(expires_on__isnull=False), name="a_term_of_a_quote_expires"
            ),
            # What a public page says of delivery and support is advertising, not a term (R113).
            models.CheckConstraint(
                condition=~(Q(register=QUOTE) & Q(source=PAGE) & Q(state=CONFIRMED)),
                name="no_page_confirms_a_term_of_a_quote",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.what.label} of {self.account}"

    @property
    def what(self) -> Kind:
        """Its kind; one that is no longer listed keeps its own name."""
        return KINDS.get(self.kind) or Kind(self.kind, self.register, self.kind, "")

    @property
    def words(self) -> str:
        """The value with its unit."""
        return self.what.words(self.value)

    def is_expired(self, on: date | None = None) -> bool:
        """Whether its last day (UTC, included) is over."""
        return self.expires_on is not None and self.expires_on < (on or timezone.now().date())

    @property
    def may_be_confirmed(self) -> bool:
        """Whether somebody may confirm it at all: it is neither over nor what a public page says of a quote."""
        return self.state == NOT_CONFIRMED and not self.is_expired() and not self.is_advertised

    @property
    def is_advertised(self) -> bool:
        """A term of a quote that only a public page states (R113)."""
        return self.register == QUOTE and self.source == PAGE

    @property
    def holds(self) -> bool:
        return self.state == CONFIRMED and not self.is_expired()

    @property
    def status(self) -> Status:
        return EXPIRED if self.state == CONFIRMED and not self.holds else STATEMENT.statuses[self.state]


class Question(models.Model):
    """What a buyer asks before something is committed, the practical answer, and the control to apply (R17)."""

    BEFORE = (("money", "Money"), ("engineering", "Engineering time"), ("promise", "A promise to customers"))

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = account("questions")
    before = models.CharField(max_length=12, choices=BEFORE)
    question = models.CharField(max_length=300)
    answer = models.CharField(max_length=600, blank=True)
    control = models.CharField(max_length=600, blank=True)
    state = models.CharField(max_length=10, default=OPEN)
    version = models.PositiveIntegerField(default=1)
    asked_by = person()
    asked_at = models.DateTimeField(default=timezone.now)
    answered_by = person(null=True)
    answered_at = models.DateTimeField(null=True)
    checked_by = person(null=True)
    checked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("asked_at", "pk")
        constraints = [
            models.UniqueConstraint(fields=["account", "question"], name="a_question_stands_once"),
            models.CheckConstraint(
                condition=~Q(state__in=[ANSWERED, CHECKED]) | (~Q(answer="") & ~Q(control="")),
                name="an_answer_names_its_control",
            ),
            models.CheckConstraint(
                condition=~Q(state=CHECKED) | (Q(checked_by__isnull=False) & ~Q(checked_by=F("answered_by"))),
                name="an_answer_is_checked_by_another",
            ),
        ]

    def __str__(self) -> str:
        return self.question

    @property
    def status(self) -> Status:
        return QUESTION.statuses[self.state]


class PriceList(models.Model):
    """A current price list: that it was asked for, and the very file that came (R16)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = account("price_lists")
    state = models.CharField(max_length=10, default="asked")
    version = models.PositiveIntegerField(default=1)
    # How and whom we asked: a ticket, an e-mail.
    asked_how = models.CharField(max_length=200)
    asked_by = person()
    asked_at = models.DateTimeField(default=timezone.now)
    received_by = person(null=True)
    received_at = models.DateTimeField(null=True)
    valid_until = models.DateField(null=True)
    file_name = models.CharField(max_length=120, blank=True)
    content = models.BinaryField(default=b"")
    sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ("-asked_at", "-pk")
        constraints = [
            models.CheckConstraint(
                condition=~Q(state=RECEIVED) | (~Q(sha256="") & Q(received_by__isnull=False)),
                name="a_received_list_is_kept",
            ),
        ]

    def __str__(self) -> str:
        return f"Price list of {self.account}, asked for on {self.asked_at:%Y-%m-%d}"

    @property
    def status(self) -> Status:
        return PRICE_LIST.statuses[self.state]


class AccessRequest(models.Model):
    """A request for access to a supplier's API as it is put to the supplier, and how far its review is (R109 to R112)."""

    BUYERS = (("retailer", "Retailer"), ("marketplace", "Marketplace seller"), ("distributor", "Distributor"))
    # What the supplier's review needs, in the order of the ticket.
    FIELDS = (
        *("company", "company_details", "business_account", "buyer_type", "regions", "expected_volume"),
        *("monthly_volume", "payment_preference", "delivery", "use_case"),
    )
    DELIVERY = (("api", "API"), ("manual", "Manual"), ("both", "API, with manual delivery as a fallback"))

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = account("access_requests")
    company = models.CharField("Company", max_length=120)
    company_details = models.CharField("Company details", max_length=600)
    business_account = models.CharField("Business account", max_length=120)
    buyer_type = models.CharField("Buyer type", max_length=12, choices=BUYERS)
    expected_volume = models.CharField("Expected volume", max_length=200)
    monthly_volume = models.CharField("Monthly volume", max_length=120)
    regions = models.CharField("Regions", max_length=200)
    use_case = models.CharField("Integration use case", max_length=600)
    payment_preference = models.CharField("Payment preference", max_length=120)
    delivery = models.CharField("Delivery", max_length=10, choices=DELIVERY)
    state = models.CharField(max_length=10, default=PREPARED)
    version = models.PositiveIntegerField(default=1)
    prepared_by = person()
    prepared_at = models.DateTimeField(default=timezone.now)
    ticket = models.CharField(max_length=80, blank=True)
    answer = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ("-prepared_at", "-pk")
        constraints = [
            # A second request beside one under review would only confuse who reviews it.
            models.UniqueConstraint(
                fields=["account"], condition=~Q(state__in=[ISSUED, REFUSED]), name="one_access_request_under_way"
            ),
        ]

    def __str__(self) -> str:
        return f"API access of {self.company} at {self.account}"

    @property
    def status(self) -> Status:
        return ACCESS.statuses[self.state]

    @property
    def is_sent(self) -> bool:
        return self.state != PREPARED

    @property
    def is_decided(self) -> bool:
        return self.state in ACCESS.final

    def in_words(self) -> list[tuple[str, str]]:
        """Each field with its label, as the ticket names them."""
        named = {field.name: str(field.verbose_name) for field in self._meta.fields}
        chosen = {"buyer_type": dict(self.BUYERS), "delivery": dict(self.DELIVERY)}
        values = {name: getattr(self, name) for name in self.FIELDS}
        return [(named[name], chosen.get(name, {}).get(value, value)) for name, value in values.items()]
