"""The project's form renderer, the widgets' house habits, and what an uploaded file may be called."""

from __future__ import annotations

from django.core.validators import FileExtensionValidator
from django.forms.renderers import TemplatesSetting

TABLES = ("csv", "tsv", "txt")


def ending_in(*endings: str) -> list[FileExtensionValidator]:
    """The validators of a file field that takes these endings only; what the file holds is for its reader to say."""
    message = "This takes files that end in %(allowed_extensions)s. Nothing was read. Choose another one."
    return [FileExtensionValidator(endings, message)]


class UiRenderer(TemplatesSetting):
    """Every `{{ field.as_field_group }}` and `{{ form }}` in the house style."""

    field_template_name = "ui/field.html"
    form_template_name = "ui/form.html"
