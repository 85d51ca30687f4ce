"""Routes of reconciliation."""

from __future__ import annotations

from django.urls import path

from procurement.reconciliation import views

app_name = "reconciliation"
urlpatterns = [
    path("", views.day_list, name="day_list"),
    path("run/", views.day_run, name="day_run"),
    path("<slug:code>/<str:currency>/<str:day>/", views.day_detail, name="day_detail"),
]
