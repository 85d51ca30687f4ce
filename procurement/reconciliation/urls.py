"""Routes of reconciliation."""

from __future__ import annotations

from django.urls import path

from procurement.reconciliation.views import days, signing, statements

app_name = "reconciliation"
urlpatterns = [
    path("", days.day_list, name="day_list"),
    path("run/", days.day_run, name="day_run"),
    path("differences/<int:pk>/explain/", signing.difference_explain, name="difference_explain"),
    path("differences/<int:pk>/accept/", signing.difference_accept, name="difference_accept"),
    path("statements/new/", statements.statement_new, name="statement_new"),
    path("statements/<int:pk>/", statements.statement_detail, name="statement_detail"),
    path("statements/<int:pk>/import/", statements.statement_apply, name="statement_apply"),
    path("<slug:code>/<str:currency>/<str:day>/", days.day_detail, name="day_detail"),
    path("<slug:code>/<str:currency>/<str:day>/evidence/", days.day_evidence_add, name="day_evidence_add"),
    path("<slug:code>/<str:currency>/<str:day>/evidence/<int:number>/", days.day_evidence, name="day_evidence"),
    path("<slug:code>/<str:currency>/<str:day>/match/", signing.day_match, name="day_match"),
    path("<slug:code>/<str:currency>/<str:day>/prepare/", signing.day_prepare, name="day_prepare"),
    path("<slug:code>/<str:currency>/<str:day>/sign/", signing.day_sign, name="day_sign"),
    path("<slug:code>/<str:currency>/<str:day>/withdraw/", signing.day_withdraw, name="day_withdraw"),
    path("<slug:code>/<str:currency>/<str:day>/report/", signing.day_report, name="day_report"),
]
