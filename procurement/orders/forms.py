"""What a buyer and a manager type."""

from __future__ import annotations

from typing import Any

from django import forms

from procurement.catalog.models import Mapping
from procurement.errors import Refused
from procurement.orders import policies
from procurement.orders.custody import WHYS
from procurement.orders.grounds import Ground
from procurement.orders.queries import orderable_mappings
from procurement.suppliers.clients.redaction import mask_code_like
from procurement.suppliers.models import SupplierAccount
from procurement.web.forms import TABLES, ending_in

CHEAPEST = "cheapest"


class Words(forms.CharField):
    """What people write in their own words. When its form is shown again, codes that were pasted in are masked (R62)."""

    def bound_data(self, data: Any, initial: Any) -> Any:
        text = super().bound_data(data, initial)
        return mask_code_like(text, by_hand=True) if isinstance(text, str) else text


class OrderForm(forms.Form):
    """A new order: for which SKU, from which supplier, how many, for which storefront order."""

    sku = forms.CharField(
        label="SKU",
        max_length=64,
        error_messages={"required": "Choose a SKU."},
        help_text="Type a part of it, such as US-50; only SKUs with an active mapping can be ordered.",
        widget=forms.TextInput(attrs={"list": "skus", "autocomplete": "off", "class": "w-16", "autofocus": True}),
    )
    supplier = forms.ChoiceField(label="Supplier account", required=False)
    quantity = forms.CharField(
        label="Quantity",
        max_length=12,
        error_messages={"required": "Write how many codes you need."},
        widget=forms.TextInput(attrs={"inputmode": "numeric", "class": "w-6", "autocomplete": "off"}),
    )
    client_order_id = forms.CharField(
        label="Storefront order id",
        max_length=64,
        error_messages={"required": "Write the storefront order id."},
        help_text="As in ORDER-1042; used once.",
        widget=forms.TextInput(attrs={"class": "w-16"}),
    )
    purpose = forms.CharField(
        label="Why",
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="A manager reads it if approval is needed.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = [(account.code, account.name) for account in SupplierAccount.objects.order_by("name")]
        supplier = self.fields["supplier"]
        assert isinstance(supplier, forms.ChoiceField)
        supplier.choices = [(CHEAPEST, "Cheapest now"), *accounts]

    def clean_quantity(self) -> int:
        return whole_quantity(self.cleaned_data["quantity"])

    def clean_client_order_id(self) -> str:
        text: str = self.cleaned_data["client_order_id"].strip()
        try:
            policies.check_client_order_id(text)
        except Refused as refusal:
            raise forms.ValidationError(refusal.sentence) from None
        return text

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("sku"):
            data["mapping"] = self.mapping_of(data["sku"].strip(), data.get("supplier") or CHEAPEST)
        return data

    def mapping_of(self, sku: str, supplier: str) -> Mapping | None:
        """The active mapping meant: an exact SKU, or the only one that contains the text."""
        rows = orderable_mappings()
        if supplier != CHEAPEST:
            rows = rows.filter(account__code=supplier)
        exact = list(rows.filter(sku__code__iexact=sku)[:2])
        near = exact or list(rows.filter(sku__code__icontains=sku.replace(" ", "-"))[:20])
        names = sorted({mapping.sku.code for mapping in near})
        if len(names) > 1:
            self.add_error("sku", f"“{sku}” fits several SKUs: {', '.join(names[:5])}. Choose one.")
        elif not near:
            where = "" if supplier == CHEAPEST else " at this supplier account"
            self.add_error("sku", f"No active mapping for “{sku}”{where}. Check the SKU, or ask for the mapping first.")
        return near[0] if len(names) == 1 else None


def whole_quantity(typed: str) -> int:
    """A quantity as people write it: 1,000 and 1 000 are 1000. Raises ValidationError with the sentence."""
    text = "".join(typed.replace(",", "").split())
    if not (text.isascii() and text.isdigit()):
        raise forms.ValidationError("Write the quantity as a whole number, such as 20.")
    if not 1 <= int(text) <= policies.MAX_QUANTITY:
        raise forms.ValidationError(
            f"The quantity can be 1 to {policies.MAX_QUANTITY:,}. Split a larger need into several orders."
        )
    return int(text)


class QuantityForm(forms.Form):
    """Another quantity for a draft."""

    quantity = forms.CharField(
        label="Quantity",
        max_length=12,
        error_messages={"required": "Write how many codes you need."},
        widget=forms.TextInput(attrs={"inputmode": "numeric", "class": "w-6", "autocomplete": "off"}),
    )

    def clean_quantity(self) -> int:
        return whole_quantity(self.cleaned_data["quantity"])


class ReasonForm(forms.Form):
    """A reason people will read later."""

    reason = Words(label="Reason", max_length=500, widget=forms.Textarea(attrs={"rows": 2}))


class RevealForm(forms.Form):
    """For what and why a code is to be seen. The service judges it, and says what is missing."""

    ground = forms.ChoiceField(label="For", required=False)
    why = forms.ChoiceField(label="Because", required=False, choices=WHYS)
    reason = Words(
        label="Reason",
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "autocomplete": "off"}),
        help_text="10 to 500 characters. It is kept for good, with your name.",
    )

    def __init__(self, *args: Any, grounds: list[Ground], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            # Asked for like any other: what is missing is refused by the service, which puts the refusal on record.
            field.judged_later = True  # type: ignore[attr-defined]
        ground = self.fields["ground"]
        assert isinstance(ground, forms.ChoiceField)
        ground.choices = [(one.ref, one.words) for one in grounds]


class CustomerOrderForm(forms.Form):
    """Which customer order a code goes to."""

    customer_order = Words(
        label="Customer order",
        max_length=100,
        error_messages={"required": "Write the storefront's number of the customer's order."},
        widget=forms.TextInput(attrs={"class": "w-16", "autocomplete": "off"}),
    )


class DeliveryForm(forms.Form):
    """Which customer orders get a code in a delivery file, and what it is for."""

    customer_orders = Words(
        label="Customer orders",
        error_messages={"required": "Write at least one customer order."},
        widget=forms.Textarea(attrs={"rows": 8, "class": "mono", "autocomplete": "off", "spellcheck": "false"}),
        help_text="The storefront's own numbers, one on each line. Each line gets one code.",
    )
    reason = Words(label="Reason", max_length=500, widget=forms.Textarea(attrs={"rows": 2}))


class PassphraseForm(forms.Form):
    """What the file is sealed with, typed twice; it is kept nowhere."""

    passphrase = forms.CharField(
        label="Passphrase",
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 16 characters. Tell it to the receiver another way than the file; it is kept nowhere.",
    )
    again = forms.CharField(
        label="Passphrase again",
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("passphrase") != data.get("again"):
            self.add_error("again", "The two passphrases differ. No file was made.")
        return data


class BringInForm(forms.Form):
    """Codes that came outside the API: pasted, or in an encrypted file with its passphrase."""

    table = forms.CharField(
        label="Codes",
        required=False,
        widget=forms.Textarea(
            attrs={"rows": 8, "class": "mono", "autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}
        ),
        help_text="CSV with a header: code, and if the supplier states them region, denomination and serial.",
    )
    file = forms.FileField(
        label="Or a file",
        required=False,
        help_text="A CSV, or an encrypted delivery file.",
        validators=ending_in(*TABLES, "csdf"),
    )
    passphrase = forms.CharField(
        label="Passphrase of an encrypted file",
        required=False,
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    source = forms.CharField(
        label="How they came",
        max_length=500,
        help_text="As in: mail from the supplier's support of 21 Nov, ticket 5521.",
    )
