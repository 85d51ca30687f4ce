"""Routes of the ledger."""

from __future__ import annotations

from django.urls import path

from procurement.bookkeeping import views

app_name = "bookkeeping"
urlpatterns = [
    path("", views.ledger, name="ledger"),
    path("movements/<uuid:pk>/", views.entry_detail, name="entry_detail"),
    path("deposits/new/", views.deposit_new, name="deposit_new"),
    path("deposits/", views.deposit_record, name="deposit_record"),
]
