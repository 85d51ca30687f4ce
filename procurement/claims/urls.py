"""Routes of cases and claims."""

from __future__ import annotations

from django.urls import path

from procurement.claims.views import cases, claims, queue

app_name = "claims"
urlpatterns = [
    path("", queue.case_list, name="case_list"),
    path("find/", cases.case_find, name="case_find"),
    path("new/", cases.case_new, name="case_new"),
    path("<int:pk>/", cases.case_detail, name="case_detail"),
    path("<int:pk>/take/", cases.case_take, name="case_take"),
    path("<int:pk>/region/", cases.case_region, name="case_region"),
    path("<int:pk>/error/", cases.case_error, name="case_error"),
    path("<int:pk>/message/", cases.case_message, name="case_message"),
    path("<int:pk>/overrule/", cases.case_overrule, name="case_overrule"),
    path("<int:pk>/solve/", cases.case_solve, name="case_solve"),
    path("<int:pk>/close/", cases.case_close, name="case_close"),
    path("<int:pk>/reopen/", cases.case_reopen, name="case_reopen"),
    path("<int:pk>/claim/", claims.claim_new, name="claim_new"),
    path("claims/<uuid:pk>/", claims.claim_detail, name="claim_detail"),
    path("claims/<uuid:pk>/reference/", claims.claim_reference, name="claim_reference"),
    path("claims/<uuid:pk>/not-arrived/", claims.claim_not_arrived, name="claim_not_arrived"),
    path("claims/<uuid:pk>/by-hand/", claims.claim_by_hand, name="claim_by_hand"),
    path("claims/<uuid:pk>/outcome/", claims.claim_outcome, name="claim_outcome"),
]
