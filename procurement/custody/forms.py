"""What an administrator types before something is erased."""

from __future__ import annotations

from django import forms


class ReasonForm(forms.Form):
    """Why, in the person's words; kept in the record."""

    reason = forms.CharField(
        label="Reason",
        min_length=10,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="10 to 500 characters. Who confirms it and the auditor read it. No code in it.",
    )
