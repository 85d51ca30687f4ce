"""Routes of signing in and of a person's own settings. Sign-in and sign-out have bare names: Django's settings name them."""

from __future__ import annotations

from django.urls import include, path

from procurement.staff import views

own = (
    [path("settings/", views.own_settings, name="settings"), path("settings/people/", views.people, name="people")],
    "staff",
)
urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="login"),
    path("sign-out/", views.sign_out, name="logout"),
    path("", include(own)),
]
