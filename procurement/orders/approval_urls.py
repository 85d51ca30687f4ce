"""Routes of the approval queue."""

from __future__ import annotations

from django.urls import path

from procurement.orders.views import approvals

app_name = "approvals"
urlpatterns = [
    path("", approvals.request_list, name="request_list"),
    path("<uuid:pk>/", approvals.request_detail, name="request_detail"),
    path("<uuid:pk>/decide/", approvals.request_decide, name="request_decide"),
]
