from django.urls import path

from procurement.suppliers import hooks, views, webhook_views

app_name = "suppliers"
urlpatterns = [
    path("hooks/<str:slug>/", hooks.hook, name="hook"),
    path("accounts/", views.account_list, name="account_list"),
    path("accounts/new/", views.account_new, name="account_new"),
    path("accounts/<uuid:pk>/", views.account_detail, name="account_detail"),
    path("accounts/<uuid:pk>/key/", views.account_key, name="account_key"),
    path("accounts/<uuid:pk>/key/next/", views.account_next_key, name="account_next_key"),
    path("accounts/<uuid:pk>/settings/", views.account_settings, name="account_settings"),
    path("accounts/<uuid:pk>/pause/", views.account_pause, name="account_pause"),
    path("accounts/<uuid:pk>/resume/", views.account_resume, name="account_resume"),
    path("accounts/<uuid:pk>/balance/", views.account_balance, name="account_balance"),
    path("accounts/<uuid:pk>/registration/", views.account_registration, name="account_registration"),
    path("exchanges/<uuid:request_id>/", views.exchange_detail, name="exchange_detail"),
    path("accounts/<uuid:pk>/webhooks/", webhook_views.account_webhooks, name="account_webhooks"),
    path("webhooks/replay/", webhook_views.webhook_replay_waiting, name="webhook_replay_waiting"),
    path("webhooks/", views.webhook_list, name="webhook_list"),
    path("webhooks/<uuid:pk>/", views.webhook_detail, name="webhook_detail"),
    path("webhooks/<uuid:pk>/replay/", views.webhook_replay, name="webhook_replay"),
]
