#!/usr/bin/env python3
"""Django's command line for Countersign; `python3 dev.py manage ...` calls it inside the project's environment."""

import os
import sys

from django.core.management import execute_from_command_line

from procurement.web.crashing import keep_words_back

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "procurement.settings")
    keep_words_back()
    execute_from_command_line(sys.argv)
