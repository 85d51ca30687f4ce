"""What finance types about deposits and corrections."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone

from ledger.money import parse_amount
from procurement.bookkeeping.rules import AGAINST
from procurement.bookkeeping.states import WAYS
from procurement.suppliers.models import SupplierAccount

MONEY = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "class": "w-10"})


def minor_units(form: forms.Form, field: str, currency: str) -> int | None:
    """An amount as typed, in minor units; None with the reason at its field where it is none."""
    text = form.cleaned_data.get(field)
    if not text or not currency:
        return None
    try:
        return parse_amount(text, currency)
    except ValueError as problem:
        form.add_error(field, str(problem))
        return None


def positive_units(form: forms.Form, field: str, currency: str) -> int | None:
    """The same for a deposit."""
    minor = minor_units(form, field, currency)
    if minor is not None and minor <= 0:
        form.add_error(field, "A deposit is more than zero.")
    return minor


class DepositForm(forms.Form):
    """Money that is about to be sent: where to, how much, how, and the invoice it pays."""

    account = forms.ModelChoiceField(
        SupplierAccount.objects.order_by("name"), label="Supplier account", to_field_name="code", empty_label=None
    )
    amount = forms.CharField(
        label="Amount to be credited",
        max_length=24,
        help_text="What the supplier will credit, such as 1,000.00.",
        widget=forms.TextInput(
            attrs={"inputmode": "decimal", "autocomplete": "off", "class": "w-10", "autofocus": True}
        ),
    )
    currency = forms.RegexField(
        r"^[A-Za-z]{3}$",
        label="Currency",
        max_length=3,
        required=False,
        help_text="Empty is the account's settlement currency.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "class": "w-4"}),
        error_messages={"invalid": "Write the currency as three letters, such as USD."},
    )
    way = forms.ChoiceField(
        label="Sent as",
        choices=[(key, str(way)) for key, way in WAYS.items()],
        help_text="What the invoice asks for: money sent over another network is lost.",
    )
    reference = forms.CharField(
        label="Supplier's invoice number",
        max_length=120,
        help_text="The same one can't be recorded twice.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    note = forms.CharField(label="Note", max_length=500, required=False, widget=forms.Textarea(attrs={"rows": 2}))

    def clean(self) -> dict[str, Any]:
        """Adds `amount_minor`, and the account's currency where none was written."""
        data = super().clean() or self.cleaned_data
        account = data.get("account")
        data["currency"] = (data.get("currency") or (account.settlement_currency if account else "")).upper()
        data["amount_minor"] = positive_units(self, "amount", data["currency"])
        return data


class CreditForm(forms.Form):
    """What the supplier credited, as a second person saw it."""

    amount = forms.CharField(label="Amount credited", max_length=24, widget=MONEY)
    credited_on = forms.DateField(
        label="Credited on (UTC)", widget=forms.DateInput(attrs={"type": "date", "class": "w-10"})
    )
    reason = forms.CharField(
        label="How do you know?",
        max_length=500,
        required=False,
        help_text="Needed when it is another amount than announced: the rest is a difference of that day.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency = currency

    def clean_credited_on(self) -> Any:
        day = self.cleaned_data["credited_on"]
        if day > timezone.now().date():
            raise forms.ValidationError("This day has not come yet. Book the deposit once it is credited.")
        return day

    def clean(self) -> dict[str, Any]:
        """Adds `amount_minor`."""
        data = super().clean() or self.cleaned_data
        data["amount_minor"] = positive_units(self, "amount", self.currency)
        return data


class CorrectionForm(forms.Form):
    """What nothing else books: what the supplier took or gave, the day it belongs to, and what it is booked against."""

    account = forms.ModelChoiceField(
        SupplierAccount.objects.order_by("name"), label="Supplier account", to_field_name="code", empty_label=None
    )
    direction = forms.ChoiceField(
        label="What happened at the supplier", choices=[("out", "It took money"), ("in", "It gave money")]
    )
    amount = forms.CharField(label="Amount", max_length=24, widget=MONEY)
    currency = forms.RegexField(
        r"^[A-Z]{3}$",
        label="Currency",
        max_length=3,
        widget=forms.TextInput(attrs={"autocomplete": "off", "class": "w-4"}),
        error_messages={"invalid": "Write the currency as three letters, such as USD."},
    )
    against = forms.ChoiceField(label="Booked against", choices=list(AGAINST.items()))
    day = forms.DateField(
        label="Day it belongs to (UTC)", widget=forms.DateInput(attrs={"type": "date", "class": "w-10"})
    )
    reason = forms.CharField(
        label="Why?",
        max_length=500,
        help_text="How you know: the supplier's answer, the statement, the difference it closes.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def clean(self) -> dict[str, Any]:
        """Adds `amount_minor`, negative for what the supplier took."""
        data = super().clean() or self.cleaned_data
        minor = minor_units(self, "amount", data.get("currency", ""))
        if minor is not None and minor <= 0:
            self.add_error("amount", "Write an amount above zero; which way it went is said above.")
        data["amount_minor"] = -(minor or 0) if data.get("direction") == "out" else minor or 0
        return data
