"""What people type to prove who they are. Nothing of it is ever shown back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms

from procurement.errors import DomainError


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
