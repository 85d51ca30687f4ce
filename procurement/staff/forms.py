"""What people type to prove who they are. Nothing of it is ever shown back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.http import HttpRequest

from procurement.errors import DomainError
from procurement.staff import signing_in
from procurement.staff.models import User
from procurement.staff.stepping_up import check_password
from procurement.staff.tries import browser_of

LONG_ENOUGH = (
    "At least 12 characters. Four or five words in a row are easy to keep; no symbols or capitals are demanded."
)


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


class PasswordForm(PasswordChangeForm):
    """The old password and a new one, twice. Long is all that is asked of it, and not among those everybody takes."""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        assert isinstance(request.user, User)
        super().__init__(request.user, *args, **kwargs)
        self.request, self.person = request, request.user
        self.fields["old_password"].label = "Password you have"
        self.fields["new_password1"].help_text = LONG_ENOUGH
        self.fields["new_password2"].label = "New password again"

    def clean_old_password(self) -> str:
        old: str = self.cleaned_data["old_password"]
        try:
            check_password(self.person, old, browser_of(self.request, self.person))
        except DomainError as error:
            raise forms.ValidationError(error.sentence) from None
        return old


class TypedOnce(forms.TextInput):
    """A field that comes back empty: what was typed is spent, or none of the next reader's business."""

    def format_value(self, value: Any) -> None:
        return None


class ProofForm(forms.Form):
    """A code of the authenticator app or a recovery code."""

    proof = forms.CharField(
        label="Code",
        max_length=40,
        help_text="The six digits your authenticator app shows now, or one of your recovery codes.",
        widget=TypedOnce(
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
