"""The web server's door: `gunicorn procurement.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "procurement.settings")

application = get_wsgi_application()

from procurement.vault.checks import stop_with_a_wrong_key
from procurement.web.crashing import keep_words_back
from procurement.web.deployment import stop_unless_in_order

keep_words_back()
stop_unless_in_order()
stop_with_a_wrong_key()
