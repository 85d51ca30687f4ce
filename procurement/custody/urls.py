"""Routes of the key room."""

from __future__ import annotations

from django.urls import path

from procurement.custody import views

app_name = "custody"
urlpatterns = [
    path("", views.key_list, name="key_list"),
    path("<int:pk>/", views.key_detail, name="key_detail"),
    path("<int:pk>/destroy/", views.key_propose, name="key_propose"),
    path("destructions/<int:pk>/confirm/", views.destruction_confirm, name="destruction_confirm"),
    path("destructions/<int:pk>/decline/", views.destruction_decline, name="destruction_decline"),
    path("codes/<uuid:pk>/erase/", views.code_erase, name="code_erase"),
]
