"""What people type into the register."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from procurement.terms.asking import LARGEST_LIST, LIST_TYPES
from procurement.terms.kinds import TEXT, YES_NO, Kind
from procurement.terms.models import SOURCES, AccessRequest, Question


def lines(rows: int = 2) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows})


def day() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date", "class": "w-10"})


class StatementForm(forms.Form):
    """What was said of one kind, and where another person finds it."""

    value = forms.CharField(label="What was said", max_length=300)
    source = forms.ChoiceField(label="Where", choices=SOURCES)
    reference = forms.CharField(
        label="Which one",
        max_length=200,
        help_text="So that a second person finds it: ticket 4711; contract of 3 May, page 2; call with Mr Ito.",
    )
    stated_on = forms.DateField(label="Said on (UTC)", widget=day())
    expires_on = forms.DateField(label="Last day it is good for (UTC)", widget=day(), required=False)

    def __init__(self, *args: Any, kind: Kind, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if kind.unit == YES_NO:
            self.fields["value"].widget = forms.Select(choices=[("yes", "yes"), ("no", "no")])
        elif kind.unit != TEXT:
            self.fields["value"].widget = forms.TextInput(attrs={"inputmode": "numeric", "class": "w-6"})
            self.fields["value"].help_text = kind.unit.capitalize()
        self.fields["expires_on"].required = kind.must_expire


class ContradictForm(forms.Form):
    reason = forms.CharField(label="How do you know?", max_length=500, widget=lines())


class QuestionForm(forms.Form):
    before = forms.ChoiceField(label="To be checked before we commit", choices=Question.BEFORE)
    question = forms.CharField(label="Question", max_length=300)


class AnswerForm(forms.Form):
    answer = forms.CharField(label="Practical answer", max_length=600, widget=lines())
    control = forms.CharField(
        label="Control to apply",
        max_length=600,
        widget=lines(),
        help_text="What we check or limit because of it, such as “one test order in each region first”.",
    )


class PriceListForm(forms.Form):
    how = forms.CharField(label="How you asked", max_length=200, help_text="A ticket, an address, a call.")


class ReceivedForm(forms.Form):
    """The list that came; it is kept as it is and never read by the program."""

    file = forms.FileField(label="Price list", help_text=f"{LIST_TYPES}, at most 2 MB.", allow_empty_file=True)
    valid_until = forms.DateField(label="Last day the prices hold (UTC)", widget=day(), required=False)

    def clean_file(self) -> UploadedFile[Any]:
        file: UploadedFile[Any] = self.cleaned_data["file"]
        if file.size is None or file.size > LARGEST_LIST:
            raise forms.ValidationError("The file is larger than 2 MB. Nothing was stored.")
        return file


class AccessForm(forms.ModelForm):
    class Meta:
        model = AccessRequest
        fields = AccessRequest.FIELDS
        widgets = {"company_details": lines(), "use_case": lines()}
        help_texts = {
            "company_details": "Registration number, address, website, contact.",
            "business_account": "The account at the supplier from which the ticket is sent.",
            "regions": "Such as US, GB, DE.",
            "expected_volume": "Codes and value at the start.",
        }


class TicketForm(forms.Form):
    ticket = forms.CharField(label="Ticket", max_length=80)


class ReviewForm(forms.Form):
    state = forms.ChoiceField(
        label="How far is it", choices=[("in_review", "In review"), ("issued", "Issued"), ("refused", "Refused")]
    )
    answer = forms.CharField(label="What the supplier said", max_length=300)
