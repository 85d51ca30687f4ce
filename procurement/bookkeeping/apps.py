from django.apps import AppConfig


class BookkeepingConfig(AppConfig):
    name = "procurement.bookkeeping"
    label = "bookkeeping"
