"""Routes: one prefix for each domain."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("procurement.desk.urls")),
    path("", include("procurement.web.urls")),
    path("", include("procurement.staff.urls")),
    path("", include("procurement.people.urls")),
    path("", include("procurement.suppliers.urls")),
    path("", include("procurement.terms.urls")),
    path("", include("procurement.onboarding.urls")),
    path("approvals/", include("procurement.orders.approval_urls")),
    path("audit/", include("procurement.audit.urls")),
    path("catalogue/", include("procurement.catalog.urls")),
    path("ledger/", include("procurement.bookkeeping.urls")),
    path("orders/", include("procurement.orders.urls")),
    path("cases/", include("procurement.claims.urls")),
    path("keys/", include("procurement.custody.urls")),
    path("reconciliation/", include("procurement.reconciliation.urls")),
]

handler400 = "procurement.web.views.bad_request"
handler403 = "procurement.web.views.permission_denied"
handler404 = "procurement.web.views.not_found"
handler500 = "procurement.web.views.server_error"
