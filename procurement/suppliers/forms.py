"""What people type about supplier accounts. Credentials are never shown back."""

from __future__ import annotations

from django import forms

from procurement.suppliers.models import DIALECTS, ENVIRONMENTS

HIDDEN_INPUT = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}


class AccountForm(forms.Form):
    name = forms.CharField(label="Name", max_length=80)
    code = forms.SlugField(
        label="Short name", max_length=40, help_text="Small letters, digits and hyphens, such as alpha."
    )
    dialect = forms.ChoiceField(label="Supplier", choices=DIALECTS)
    environment = forms.ChoiceField(label="Environment", choices=ENVIRONMENTS)
    base_url = forms.URLField(
        label="Address of the API", max_length=200, assume_scheme="https", help_text="Such as https://psnb2b.com/api/v1"
    )
    settlement_currency = forms.RegexField(
        label="Currency of the balance",
        regex=r"^[A-Z]{3}$",
        max_length=3,
        error_messages={"invalid": "Write three capital letters, such as USD."},
        widget=forms.TextInput(attrs={"class": "w-4"}),
    )


class CredentialForm(forms.Form):
    """One credential, entered once."""

    value = forms.CharField(
        max_length=512,
        strip=True,
        widget=forms.PasswordInput(render_value=False, attrs=HIDDEN_INPUT),
        error_messages={"required": "Paste it as the supplier sent it."},
    )

    def __init__(self, *args: object, label: str, hint: str, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["value"].label = label
        self.fields["value"].help_text = hint


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label="Reason",
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Say why, for those who find the account paused."},
    )


class RegistrationForm(forms.Form):
    note = forms.CharField(
        label="Registration at the supplier",
        max_length=200,
        required=False,
        help_text="Ticket and state, such as “Ticket 4711, registered 20 Nov”.",
    )
