"""What administrators and invited people type."""

from __future__ import annotations

from typing import Any

from django import forms

from ledger.money import parse_amount
from procurement.staff.roles import ROLES

PLAIN = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}


class RolesField(forms.MultipleChoiceField):
    """Any of the roles, each with what it is for."""

    def __init__(self, **kwargs: Any) -> None:
        roles = [(role.name, f"{role.label}: {role.description}") for role in ROLES.values()]
        super().__init__(choices=roles, required=False, widget=forms.CheckboxSelectMultiple, **kwargs)


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label="Reason",
        max_length=500,
        help_text="Read by the administrator who confirms it.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class RolesForm(ReasonForm):
    """The roles a person would hold."""

    roles = RolesField(label="Roles")
    field_order = ("roles", "reason")


class InviteForm(forms.Form):
    """A new person; their roles are proposed with it."""

    name = forms.CharField(label="Name", max_length=100, help_text="As colleagues know them.")
    username = forms.CharField(label="Signs in as", max_length=30, widget=forms.TextInput(attrs=PLAIN))
    email = forms.CharField(
        label="E-mail address",
        max_length=254,
        help_text="One person, one address, one account.",
        widget=forms.EmailInput(attrs=PLAIN),
    )
    roles = RolesField(label="Roles", help_text="Proposed at once; a second administrator confirms them.")


class PasswordForm(forms.Form):
    """A first password, twice."""

    password = forms.CharField(
        label="Password",
        help_text="At least 12 characters. A few words in a row are good.",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label="Again", strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("password") and data.get("again") and data["password"] != data["again"]:
            self.add_error("again", "The two passwords differ. No password was set.")
        return data


class LimitsForm(ReasonForm):
    """The limits of one currency, as written amounts; adds them in minor units."""

    order_limit = forms.CharField(
        label="One order, up to", max_length=24, widget=forms.TextInput(attrs={"inputmode": "decimal", "class": "w-10"})
    )
    daily_limit = forms.CharField(
        label="One person's orders of a day (UTC), up to",
        max_length=24,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "class": "w-10"}),
    )
    field_order = ("order_limit", "daily_limit", "reason")

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency = currency

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        for name in ("order_limit", "daily_limit"):
            try:
                data[f"{name}_minor"] = parse_amount(data.get(name, ""), self.currency)
            except ValueError as problem:
                if name in data:
                    self.add_error(name, str(problem))
        return data
