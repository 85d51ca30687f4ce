"""What an agent types into cases and claims."""

from __future__ import annotations

from typing import Any

from django import forms

from ledger.money import parse_amount
from procurement.catalog.regions import REGIONS
from procurement.claims.models import Claim
from procurement.claims.verdict import OWNERS, TABLE
from procurement.orders.forms import Words
from procurement.orders.models import Code, Order

OUTCOMES = (
    ("replaced", "Replaced: the supplier gives a new code"),
    ("credited", "Credited: the supplier pays the code back"),
    ("declined", "Declined"),
)
RULE = "rule"
PRIVATE = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}


def lines(rows: int, longest: int = 2_000) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, "maxlength": longest})


class UnshownInput(forms.PasswordInput):
    """A readable field whose value is never sent back to the page: a refused code is typed again."""

    input_type = "text"


class FindForm(forms.Form):
    """What is known of the code or order a customer writes about. Sent by POST, since it may be a full code."""

    find = forms.CharField(
        label="Code, last four, order id or customer order",
        max_length=100,
        help_text="A full code is matched by its keyed fingerprint; it is not stored or logged.",
        widget=UnshownInput(attrs={**PRIVATE, "class": "w-16", "autofocus": True}),
    )


class CaseForm(forms.Form):
    """A customer's report."""

    code = forms.ChoiceField(label="Which code", required=False)
    customer_order = Words(
        label="Customer order",
        max_length=100,
        required=False,
        widget=forms.TextInput(attrs={**PRIVATE, "class": "w-16"}),
    )
    account_region = forms.CharField(
        label="Account region",
        max_length=20,
        required=False,
        help_text="The country of the customer's PlayStation account in two letters, as the customer says it.",
        widget=forms.TextInput(attrs={**PRIVATE, "class": "w-6", "list": "regions"}),
    )
    error_text = Words(
        label="Error text",
        required=False,
        max_length=2_000,
        help_text="Word for word. Codes in it are masked when it is saved.",
        widget=lines(3),
    )

    def __init__(self, *args: Any, order: Order, codes: list[Code], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["code"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            ("", "No particular code"),
            *((str(code.pk), f"{code.position}: ending {code.last4}") for code in codes),
        ]
        if order.state not in {"codes_stored", "partial"} and not codes:
            del self.fields["code"]


class RegionForm(forms.Form):
    """The country of the customer's account."""

    region = forms.CharField(
        label="Account region",
        max_length=20,
        widget=forms.TextInput(attrs={**PRIVATE, "class": "w-6", "list": "regions", "placeholder": "US"}),
    )


class ErrorTextForm(forms.Form):
    error_text = Words(
        label="Error text, word for word",
        required=False,
        max_length=2_000,
        help_text="Codes in it are masked when it is saved.",
        widget=lines(3),
    )


class NoteForm(forms.Form):
    """An optional note for the record."""

    reason = Words(label="Note", required=False, max_length=500, widget=lines(2, 500))


class WhyForm(forms.Form):
    """A reason people will read later."""

    reason = Words(
        label="Reason",
        max_length=500,
        help_text="10 to 500 characters.",
        widget=lines(2, 500),
        error_messages={"required": "Write why."},
    )


class OverruleForm(WhyForm):
    """Another row of the table, and why."""

    verdict = forms.ChoiceField(label="Verdict")
    field_order = ("verdict", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["verdict"]
        assert isinstance(field, forms.ChoiceField)
        rows = [(key, f"{words(key)} ({OWNERS[row.owner]})") for key, row in TABLE.items() if key != "not_delivered"]
        field.choices = [(RULE, "What the rule says"), *rows]

    def clean_verdict(self) -> str:
        """The key of a row, or "" for the rule's own verdict."""
        key: str = self.cleaned_data["verdict"]
        return "" if key == RULE else key


def words(key: str) -> str:
    """A row of the table by a short name."""
    return key.replace("_", " ").capitalize()


class ClaimForm(forms.Form):
    """What is wrong with the code, in the supplier's words and ours."""

    reason = forms.ChoiceField(
        label="What is wrong",
        choices=[
            ("", "Choose"),
            ("wrong_region", "Wrong region or value"),
            ("invalid", "Invalid: not recognised, or used already"),
            ("failed", "Failed: cut off, corrupted or not received"),
        ],
        error_messages={"required": "Choose what is wrong with the code."},
    )
    description = Words(
        label="Description for the supplier",
        required=False,
        max_length=2_000,
        help_text="The customer's error text. Leave names and addresses out.",
        widget=lines(4),
    )


class ReferenceForm(forms.Form):
    reference = forms.CharField(
        label="Supplier's reference",
        max_length=100,
        help_text="A ticket or claim number.",
        widget=forms.TextInput(attrs={**PRIVATE, "class": "w-16"}),
        error_messages={"required": "Write the reference the supplier gave."},
    )


class OutcomeForm(forms.Form):
    """The supplier's decision. The credit is asked for only of people who may book it."""

    outcome = forms.ChoiceField(
        label="The supplier's decision",
        choices=OUTCOMES,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose what was decided."},
    )
    replacement = forms.CharField(
        label="Replacement code",
        required=False,
        max_length=40,
        help_text="Only with “Replaced”. It is sealed when it is stored; it may also come later.",
        widget=UnshownInput(attrs={**PRIVATE, "class": "w-16 mono"}),
    )
    credit = forms.CharField(
        label="Credit",
        required=False,
        max_length=20,
        widget=forms.TextInput(attrs={"class": "w-10", "inputmode": "decimal"}),
    )
    note = Words(
        label="Note", required=False, max_length=500, help_text="What the supplier wrote.", widget=lines(2, 500)
    )

    def __init__(self, *args: Any, claim: Claim, with_credit: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency = claim.code.order.cost_currency
        if with_credit:
            self.fields["credit"].label = f"Credit in {self.currency}"
            self.fields["credit"].help_text = "Only with “Credited”."
        else:
            del self.fields["credit"]
            field = self.fields["outcome"]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [choice for choice in OUTCOMES if choice[0] != "credited"]

    def clean_credit(self) -> int | None:
        """Minor units of the order's cost currency."""
        text = self.cleaned_data["credit"].strip()
        if not text:
            return None
        try:
            return parse_amount(text, self.currency)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None

    def clean(self) -> dict[str, Any]:
        """A replacement belongs to Replaced, a credit to Credited; what is typed for another is not dropped unsaid."""
        data: dict[str, Any] = super().clean() or {}
        if data.get("replacement") and data.get("outcome") != "replaced":
            self.add_error("replacement", "A replacement code belongs to “Replaced”. Choose that, or empty this field.")
        if data.get("credit") and data.get("outcome") != "credited":
            self.add_error("credit", "A credit belongs to “Credited”. Choose that, or empty this field.")
        if data.get("outcome") == "credited" and not data.get("credit") and "credit" not in self.errors:
            self.add_error("credit", "Write how much the supplier credited.")
        return data


def region_choices() -> list[tuple[str, str]]:
    """Suggestions for the account's country: the regions the storefront knows; any other country may be typed."""
    return [(region.code, region.name) for region in REGIONS.values()]
