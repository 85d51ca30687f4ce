from django.apps import AppConfig


class PeopleConfig(AppConfig):
    name = "procurement.people"
    label = "people"
