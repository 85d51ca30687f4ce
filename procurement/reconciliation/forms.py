"""What finance uploads."""

from __future__ import annotations

from typing import Any

from django import forms

from procurement.catalog.skulist.reading import MAX_BYTES
from procurement.suppliers.models import SupplierAccount
from procurement.web.forms import TABLES, ending_in

DATE = {"type": "date", "class": "w-10"}


class StatementForm(forms.Form):
    """A supplier's statement and the days that it covers whole."""

    account = forms.ModelChoiceField(
        SupplierAccount.objects.order_by("name"), label="Supplier account", to_field_name="code", empty_label=None
    )
    currency = forms.RegexField(
        r"^[A-Z]{3}$",
        label="Currency",
        max_length=3,
        required=False,
        help_text="Empty is the account's settlement currency.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "class": "w-4"}),
        error_messages={"invalid": "Write the currency as three capital letters, such as USD."},
    )
    first = forms.DateField(label="First day (UTC)", widget=forms.DateInput(attrs=DATE))
    last = forms.DateField(label="Last day", widget=forms.DateInput(attrs=DATE))
    file = forms.FileField(
        label="Account statement",
        help_text="A CSV file in UTF-8, at most 2 MB and 5,000 lines, with a header line.",
        allow_empty_file=True,
        validators=ending_in(*TABLES),
        error_messages={"required": "Choose a file first."},
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv"}),
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size is None or file.size > MAX_BYTES:
            raise forms.ValidationError("The file is larger than 2 MB. Nothing was imported. Split it by days.")
        return file

    def clean(self) -> dict[str, Any]:
        """The account's currency where none was written."""
        data = super().clean() or self.cleaned_data
        account = data.get("account")
        data["currency"] = data.get("currency") or (account.settlement_currency if account else "")
        return data
