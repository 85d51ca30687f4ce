from django.urls import path

from procurement.onboarding import views

app_name = "onboarding"
urlpatterns = [
    path("accounts/<uuid:pk>/contract/", views.contract_detail, name="contract_detail"),
    path("accounts/<uuid:pk>/contract/probe/", views.probe_start, name="probe_start"),
    path("accounts/<uuid:pk>/checklist/", views.checklist_detail, name="checklist_detail"),
    path("accounts/<uuid:pk>/checklist/tick/", views.checklist_tick, name="checklist_tick"),
    path("probes/<uuid:pk>/", views.probe_detail, name="probe_detail"),
    path("accounts/<uuid:pk>/contract/validated/", views.validated_take_in, name="validated_take_in"),
    path("probes/<uuid:pk>/products.json", views.probe_products, name="probe_products"),
    path("probes/<uuid:pk>/stop/", views.probe_stop, name="probe_stop"),
]
