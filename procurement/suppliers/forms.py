"""What people type about supplier accounts. Credentials are never shown back."""

from __future__ import annotations

from django import forms

from procurement.suppliers.configuring import MOST_A_MINUTE
from procurement.suppliers.daily_caps import MOST_CLEAN_DAYS
from procurement.suppliers.key_window import MOST_HOURS
from procurement.suppliers.models import DIALECTS, ENVIRONMENTS
from procurement.suppliers.services import DEFAULT_ADDRESSES

HIDDEN_INPUT = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}


class AccountForm(forms.Form):
    name = forms.CharField(label="Name", max_length=80)
    code = forms.SlugField(
        label="Short name", max_length=40, help_text="Small letters, digits and hyphens, such as alpha."
    )
    dialect = forms.ChoiceField(label="Supplier", choices=DIALECTS)
    environment = forms.ChoiceField(label="Environment", choices=ENVIRONMENTS)
    base_url = forms.URLField(
        label="Address of the API",
        max_length=200,
        assume_scheme="https",
        required=False,
        help_text=" ".join(f"Empty for {dict(DIALECTS)[name]}: {url}." for name, url in DEFAULT_ADDRESSES.items()),
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


class ApiKeyForm(CredentialForm):
    """A new API key: at once, or beside the present one until its time."""

    switch_at = forms.DateTimeField(
        label="Use it from (UTC)",
        required=False,
        help_text="Empty for at once. Until then, seven days at most, the present key is used.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "60"}, format="%Y-%m-%dT%H:%M"),
    )


class SettingsForm(forms.Form):
    """What of an account may be changed later; each number means what procurement.suppliers.configuring says."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    base_url = forms.URLField(
        label="Address of the API",
        max_length=200,
        assume_scheme="https",
        help_text="Another host needs a paused account and a new key: a stored key is never sent to a host it was not "
        "entered for.",
    )
    calls = forms.IntegerField(
        label="Calls a minute",
        min_value=1,
        max_value=MOST_A_MINUTE["all"],
        help_text="All workers together. Two fewer than the supplier allows, so that it never says none is left.",
    )
    orders = forms.IntegerField(label="Orders a minute", min_value=1, max_value=MOST_A_MINUTE["orders"])
    polls = forms.IntegerField(label="Readings of order states a minute", min_value=1, max_value=MOST_A_MINUTE["polls"])
    key_window_hours = forms.IntegerField(
        label="Key window, hours",
        min_value=0,
        max_value=MOST_HOURS,
        help_text="How long an order may be sent again under its idempotency key; 0 for never. Below what the supplier "
        "remembers. Only used where the supplier takes such a key.",
    )
    caps = forms.CharField(
        label="Daily caps",
        max_length=100,
        required=False,
        help_text="The most that is approved in a day (UTC), in whole units of the account's currency: the first amount "
        "at once, each next one after so many clean signed days. Empty for none.",
    )
    clean_days = forms.IntegerField(
        label="Clean signed days for the next cap",
        min_value=1,
        max_value=MOST_CLEAN_DAYS,
        help_text="A day counts when it had orders and two people signed it without a difference.",
    )
    reason = forms.CharField(
        label="Reason",
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Say why, for those who read the record."},
    )


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
