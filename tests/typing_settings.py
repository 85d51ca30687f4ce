"""Settings for the type checker alone: the desk and the sandbox, two programs that never run as one, seen together."""

from __future__ import annotations

from procurement.sandbox.settings import CONTROL_TOKEN, DB_FILE, LIMIT_SECONDS
from procurement.settings import *  # noqa: F403
from procurement.settings import INSTALLED_APPS as DESK_APPS

INSTALLED_APPS = [*DESK_APPS, "procurement.sandbox"]
__all__ = ["CONTROL_TOKEN", "DB_FILE", "LIMIT_SECONDS"]
