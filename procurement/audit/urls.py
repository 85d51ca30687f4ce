"""Routes of the record."""

from __future__ import annotations

from django.urls import path

from procurement.audit import views

app_name = "audit"
urlpatterns = [path("", views.event_list, name="event_list")]
