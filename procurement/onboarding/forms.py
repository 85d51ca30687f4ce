"""Forms of the contract page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from procurement.catalog.services.validating import LARGEST
from procurement.web.forms import ending_in


class ValidatedForm(forms.Form):
    """The file of a sandbox's probe."""

    file = forms.FileField(
        label="File of a sandbox probe",
        help_text="From the page of a probe that passed, on the sandbox installation.",
        validators=ending_in("json"),
        widget=forms.ClearableFileInput(attrs={"accept": ".json,application/json"}),
    )

    def clean_file(self) -> UploadedFile[Any]:
        file: UploadedFile[Any] = self.cleaned_data["file"]
        if file.size is None or file.size > LARGEST:
            raise forms.ValidationError("The file is larger than 2 MB.")
        return file
