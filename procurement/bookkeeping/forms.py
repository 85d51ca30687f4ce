"""What finance types to record a deposit."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone

from ledger.money import parse_amount
from procurement.suppliers.models import SupplierAccount


class DepositForm(forms.Form):
    """Money a supplier credited: where, how much, when, and the reference that proves it."""

    account = forms.ModelChoiceField(
        SupplierAccount.objects.order_by("name"), label="Supplier account", to_field_name="code", empty_label=None
    )
    amount = forms.CharField(
        label="Amount credited",
        max_length=24,
        help_text="What the supplier credited after its fees, such as 1,000.00.",
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
    credited_on = forms.DateField(
        label="Credited on (UTC)", widget=forms.DateInput(attrs={"type": "date", "class": "w-10"})
    )
    reference = forms.CharField(
        label="Supplier's reference",
        max_length=120,
        help_text="Invoice or transaction id. The same one can't be recorded twice.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    note = forms.CharField(
        label="Note",
        max_length=500,
        required=False,
        help_text="Where the evidence is kept: network, invoice, confirmation.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def clean_credited_on(self) -> Any:
        day = self.cleaned_data["credited_on"]
        if day > timezone.now().date():
            raise forms.ValidationError("This day has not come yet. Record the deposit once it is credited.")
        return day

    def clean(self) -> dict[str, Any]:
        """Adds `amount_minor`, and the account's currency where none was written."""
        data = super().clean() or self.cleaned_data
        account = data.get("account")
        data["currency"] = (data.get("currency") or (account.settlement_currency if account else "")).upper()
        if data.get("amount") and data["currency"]:
            try:
                data["amount_minor"] = parse_amount(data["amount"], data["currency"])
            except ValueError as problem:
                self.add_error("amount", str(problem))
            else:
                self._check_positive(data["amount_minor"])
        return data

    def _check_positive(self, amount_minor: int) -> None:
        if amount_minor <= 0:
            self.add_error("amount", "A deposit is more than zero.")
