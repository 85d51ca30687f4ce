from django.apps import AppConfig


class TermsConfig(AppConfig):
    name = "procurement.terms"
    label = "terms"
