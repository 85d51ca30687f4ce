"""`python -m procurement.sandbox serve --port 8201`, or any of Django's commands on the sandbox's own settings."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "procurement.sandbox.settings"
    execute_from_command_line(["procurement.sandbox", *sys.argv[1:]])
