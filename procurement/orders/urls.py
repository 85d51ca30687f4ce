"""Routes of orders and their codes."""

from __future__ import annotations

from django.urls import path

from procurement.orders.views import (
    alerts,
    bringing_in,
    codes,
    handing_over,
    pages,
    resolving,
    trail,
    unclaimed,
    unconfirmed,
)

app_name = "orders"
urlpatterns = [
    path("", pages.order_list, name="order_list"),
    path("new/", pages.order_new, name="order_new"),
    path("place/", pages.order_place, name="order_place"),
    path("unconfirmed/", unconfirmed.unconfirmed_list, name="unconfirmed_list"),
    path("unconfirmed/<uuid:pk>/", unconfirmed.unconfirmed_order, name="unconfirmed_order"),
    path("unconfirmed/unclaimed/<int:pk>/", unclaimed.unclaimed_order, name="unclaimed_order"),
    path("unconfirmed/unclaimed/<int:pk>/propose/", unclaimed.unclaimed_propose, name="unclaimed_propose"),
    path("unconfirmed/unclaimed/<int:pk>/confirm/", unclaimed.unclaimed_confirm, name="unclaimed_confirm"),
    path("unconfirmed/unclaimed/<int:pk>/decline/", unclaimed.unclaimed_decline, name="unclaimed_decline"),
    path("<uuid:pk>/", pages.order_detail, name="order_detail"),
    path("<uuid:pk>/status/", pages.order_status, name="order_status"),
    path("<uuid:pk>/submit/", pages.order_submit, name="order_submit"),
    path("<uuid:pk>/quantity/", pages.order_quantity, name="order_quantity"),
    path("<uuid:pk>/withdraw/", pages.order_withdraw, name="order_withdraw"),
    path("<uuid:pk>/cancel/", pages.order_cancel, name="order_cancel"),
    path("<uuid:pk>/outcome/propose/", resolving.outcome_propose, name="outcome_propose"),
    path("<uuid:pk>/outcome/confirm/", resolving.outcome_confirm, name="outcome_confirm"),
    path("<uuid:pk>/outcome/decline/", resolving.outcome_decline, name="outcome_decline"),
    path("<uuid:pk>/outcome/note/", unconfirmed.supplier_note, name="outcome_note"),
    path("<uuid:pk>/look/", pages.order_look, name="order_look"),
    path("<uuid:pk>/trail/", trail.order_trail, name="order_trail"),
    path("codes/<uuid:pk>/trail/", trail.code_trail, name="code_trail"),
    path("codes/<uuid:pk>/hand-over/", handing_over.code_hand_over, name="code_hand_over"),
    path("<uuid:pk>/deliver/", handing_over.order_deliver, name="order_deliver"),
    path("<uuid:pk>/bring-in/", bringing_in.order_bring_in, name="order_bring_in"),
    path("imports/<uuid:pk>/", bringing_in.import_detail, name="import_detail"),
    path("imports/<uuid:pk>/take-in/", bringing_in.import_take_in, name="import_take_in"),
    path("imports/<uuid:pk>/decline/", bringing_in.import_decline, name="import_decline"),
    path("deliveries/", handing_over.delivery_list, name="delivery_list"),
    path("deliveries/<uuid:pk>/", handing_over.delivery_detail, name="delivery_detail"),
    path("deliveries/<uuid:pk>/release/", handing_over.delivery_release, name="delivery_release"),
    path("deliveries/<uuid:pk>/decline/", handing_over.delivery_decline, name="delivery_decline"),
    path("deliveries/<uuid:pk>/fetch/", handing_over.delivery_fetch, name="delivery_fetch"),
    path("alerts/", alerts.alert_list, name="alert_list"),
    path("alerts/<int:pk>/", alerts.alert_detail, name="alert_detail"),
    path("alerts/<int:pk>/look/", alerts.alert_look, name="alert_look"),
    path("codes/<uuid:pk>/reveal/", codes.code_reveal, name="code_reveal"),
    path("codes/<uuid:pk>/copy/", codes.code_copy, name="code_copy"),
]
