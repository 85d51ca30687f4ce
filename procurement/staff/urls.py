"""Routes of signing in and of a person's own settings. Sign-in and sign-out have bare names: Django's settings name them."""

from __future__ import annotations

from django.urls import include, path

from procurement.staff import own_views, views

own = (
    [
        path("settings/", views.own_settings, name="settings"),
        path("settings/people/", views.people, name="people"),
        path("settings/people/<int:pk>/sign-out/", views.sign_out_person, name="sign_out_person"),
        path("me/password/", own_views.own_password, name="password"),
        path("me/sessions/", own_views.own_sessions, name="sessions"),
        path("me/sessions/end-others/", own_views.sessions_end_others, name="sessions_end_others"),
        path("me/sessions/<str:key>/end/", own_views.session_end, name="session_end"),
        path("me/factor/", own_views.factor_page, name="factor"),
        path("me/factor/begin/", own_views.factor_begin, name="factor_begin"),
        path("me/factor/recovery-codes/", own_views.recovery_codes, name="recovery_codes"),
        path("me/confirm/", own_views.step_up, name="step_up"),
    ],
    "staff",
)
urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="login"),
    path("sign-in/code/", views.sign_in_code, name="login_code"),
    path("sign-out/", views.sign_out, name="logout"),
    path("", include(own)),
]
