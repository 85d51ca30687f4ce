"""What people type to prove who they are. Nothing of it is ever shown back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm

from procurement.errors import DomainError
from procurement.staff import signing_in


class SignInForm(AuthenticationForm):
    """Name and password, tried at most as often as `tries` allows."""

    refused_status = 422

    def clean(self) -> dict[str, Any]:
        name, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if self.request is not None and name is not None and password:
            try:
                self.user_cache = signing_in.check_password(self.request, name, password)
            except DomainError as error:
                self.refused_status = error.status
                raise forms.ValidationError(error.sentence) from None
        return self.cleaned_data


class ProofForm(forms.Form):
    """A code of the authenticator app or a recovery code."""

    proof = forms.CharField(
        label="Code",
        max_length=40,
        help_text="The six digits your authenticator app shows now, or one of your recovery codes.",
        widget=forms.TextInput(
            attrs={
                "class": "w-16",
                "autocomplete": "one-time-code",
                "autocapitalize": "off",
                "spellcheck": "false",
                "autofocus": True,
            }
        ),
        error_messages={"required": "Write the code that your app shows."},
    )


class PasswordProofForm(forms.Form):
    """The password, of somebody who has no second factor."""

    proof = forms.CharField(
        label="Password",
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "current-password", "autofocus": True}),
        error_messages={"required": "Write your password."},
    )


def proved(form: forms.Form, check: Callable[[str], Any]) -> tuple[Any, int]:
    """What `check` made of the proof typed and 200; or None and the status of the refusal, which the form then shows."""
    if not form.is_valid():
        return None, 422
    try:
        return check(form.cleaned_data["proof"]), 200
    except DomainError as error:
        form.add_error("proof", error.sentence)
        return None, error.status
