"""Routes of the pages that show several domains."""

from __future__ import annotations

from django.urls import path

from procurement.desk import health, views

urlpatterns = [
    path("", views.overview, name="overview"),
    path("search/", views.search, name="search"),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]
