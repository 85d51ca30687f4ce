"""The project's form renderer and the widgets' house habits."""

from __future__ import annotations

from django.forms.renderers import TemplatesSetting


class UiRenderer(TemplatesSetting):
    """Every `{{ field.as_field_group }}` and `{{ form }}` in the house style."""

    field_template_name = "ui/field.html"
    form_template_name = "ui/form.html"
