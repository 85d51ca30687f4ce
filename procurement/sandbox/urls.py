"""Every address of the sandbox: two suppliers' APIs, the fault desk, the controls."""

from __future__ import annotations

from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt as api

from procurement.sandbox import alpha, control, desk, psnb2b

alpha_urls = [
    path("products", api(alpha.products)),
    path("balance", api(alpha.balance)),
    path("orders", api(alpha.orders)),
    path("orders/<str:order_id>", api(alpha.order)),
    path("orders/<str:order_id>/delivery", api(alpha.delivery)),
]
psnb2b_urls = [
    path("inventory", api(psnb2b.inventory)),
    path("balance", api(psnb2b.balance)),
    path("orders", api(psnb2b.orders)),
    path("orders/<str:order_id>", api(psnb2b.order)),
    path("orders/<str:order_id>/codes", api(psnb2b.order_codes)),
    path("claims", api(psnb2b.claims)),
]
control_urls = [
    path("health", api(control.health)),
    path("accounts/<str:supplier>", api(control.account)),
    path("deposits", api(control.deposits)),
    path("products/<str:supplier>", api(control.products)),
    path("faults", api(control.fault_list)),
    path("faults/<int:fault_id>", api(control.fault)),
    path("clock", api(control.the_clock)),
    path("settings", api(control.settings)),
    path("advance", api(control.advance)),
    path("reset", api(control.reset)),
    path("orders", api(control.orders)),
    path("movements", api(control.movements)),
    path("requests", api(control.requests)),
    path("limits", api(control.limit_report)),
    path("webhooks", api(control.events)),
    path("claims", api(control.claims)),
    path("claims/<str:claim_id>", api(control.claim)),
]
urlpatterns = [
    path("", desk.home),
    path("alpha/v1/", include(alpha_urls)),
    path("psnb2b/api/v1/", include(psnb2b_urls)),
    path("control/", include(control_urls)),
    path("faults/", desk.page, name="desk"),
    path("faults/desk.css", desk.stylesheet),
    path("faults/arm", desk.arm),
    path("faults/clear", desk.clear),
    path("faults/advance", desk.advance),
    path("faults/claims/<str:claim_id>", desk.decide),
]
