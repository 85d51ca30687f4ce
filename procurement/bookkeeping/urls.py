"""Routes of the ledger."""

from __future__ import annotations

from django.urls import path

from procurement.bookkeeping import correction_views, deposit_views, views

app_name = "bookkeeping"
urlpatterns = [
    path("", views.ledger, name="ledger"),
    path("movements/<uuid:pk>/", views.entry_detail, name="entry_detail"),
    path("corrections/new/", correction_views.correction_new, name="correction_new"),
    path("corrections/<int:pk>/", correction_views.correction_detail, name="correction_detail"),
    path("corrections/<int:pk>/book/", correction_views.correction_book, name="correction_book"),
    path("corrections/<int:pk>/decline/", correction_views.correction_decline, name="correction_decline"),
    path("deposits/", deposit_views.deposit_list, name="deposit_list"),
    path("deposits/new/", deposit_views.deposit_new, name="deposit_new"),
    path("deposits/<uuid:pk>/", deposit_views.deposit_detail, name="deposit_detail"),
    path("deposits/<uuid:pk>/credit/", deposit_views.deposit_credit, name="deposit_credit"),
    path("deposits/<uuid:pk>/evidence/", deposit_views.deposit_evidence_add, name="deposit_evidence_add"),
    path("deposits/<uuid:pk>/evidence/<int:number>/", deposit_views.deposit_evidence, name="deposit_evidence"),
    path("deposits/<uuid:pk>/<slug:step>/", deposit_views.deposit_step, name="deposit_step"),
]
