from django.apps import AppConfig


class OnboardingConfig(AppConfig):
    name = "procurement.onboarding"
    label = "onboarding"
