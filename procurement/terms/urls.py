from django.urls import path

from procurement.terms import views

app_name = "terms"
urlpatterns = [
    path("accounts/<uuid:pk>/terms/", views.account_terms, name="account_terms"),
    path("accounts/<uuid:pk>/terms/<slug:kind>/", views.account_term, name="account_term"),
    path("accounts/<uuid:pk>/questions/", views.account_questions, name="account_questions"),
    path("accounts/<uuid:pk>/price-lists/", views.account_prices, name="account_prices"),
    path("accounts/<uuid:pk>/access/", views.account_access, name="account_access"),
    path("accounts/statements/<uuid:pk>/confirm/", views.statement_confirm, name="statement_confirm"),
    path("accounts/statements/<uuid:pk>/contradict/", views.statement_contradict, name="statement_contradict"),
    path("accounts/questions/<uuid:pk>/", views.question_answer, name="question_answer"),
    path("accounts/questions/<uuid:pk>/check/", views.question_check, name="question_check"),
    path("accounts/price-lists/<uuid:pk>/", views.price_receive, name="price_receive"),
    path("accounts/price-lists/<uuid:pk>/file/", views.price_file, name="price_file"),
    path("accounts/access-requests/<uuid:pk>/", views.access_note, name="access_note"),
]
