"""Forms of the catalogue's pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from procurement.catalog.skulist.reading import MAX_BYTES
from procurement.web.forms import TABLES, ending_in


class SkuListForm(forms.Form):
    """An uploaded SKU list; what is in it is judged by the dry run."""

    file = forms.FileField(
        label="SKU list",
        help_text="A CSV file in UTF-8, at most 2 MB and 5,000 lines, with a header line.",
        allow_empty_file=True,
        validators=ending_in(*TABLES),
        error_messages={"required": "Choose a file first."},
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv"}),
    )

    def clean_file(self) -> UploadedFile[Any]:
        file: UploadedFile[Any] = self.cleaned_data["file"]
        if file.size is None or file.size > MAX_BYTES:
            raise forms.ValidationError(
                "The file is larger than 2 MB. Nothing was imported. Split it into smaller lists."
            )
        return file


class RetireForm(forms.Form):
    """Why a mapping ends; kept in its history."""

    reason = forms.CharField(label="Reason", max_length=200, required=False)
