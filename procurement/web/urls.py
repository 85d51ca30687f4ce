"""Addresses of the shell. Names are bare: they belong to no domain."""

from __future__ import annotations

from django.urls import path

from procurement.web import views

urlpatterns = [
    path("resume/", views.resume_form, name="resume"),
    path("stay/", views.stay_signed_in, name="stay"),
    path("preferences/", views.preferences, name="preferences"),
    path("gallery/", views.gallery, name="gallery"),
]
