"""Settings of the supplier sandbox, apart from the dashboard's. Its environment variables are read here only.

| Variable | Meaning | Default |
| --- | --- | --- |
| SANDBOX_DB | its SQLite file | `var/sandbox.sqlite3` beside manage.py |
| SANDBOX_HOSTS | comma-separated host names served | localhost,127.0.0.1 |
| SANDBOX_LIMIT_SECONDS | the sliding window in which PSN:B2B counts 60 requests and 10 orders, for runs in shortened time | 60 |
| SANDBOX_CONTROL_TOKEN | lets clients outside this computer use the controls and the desk | unset: they are refused |
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DB_FILE = Path(os.environ.get("SANDBOX_DB", "").strip() or ROOT / "var" / "sandbox.sqlite3")
CONTROL_TOKEN = os.environ.get("SANDBOX_CONTROL_TOKEN", "").strip()
LIMIT_SECONDS: float = float(os.environ.get("SANDBOX_LIMIT_SECONDS", "").strip() or 60)
ALLOWED_HOSTS = [
    host.strip() for host in os.environ.get("SANDBOX_HOSTS", "localhost,127.0.0.1").split(",") if host.strip()
]

DEBUG = False
SECRET_KEY = secrets.token_urlsafe(32)  # signs nothing that has to outlive the process
ROOT_URLCONF = "procurement.sandbox.urls"
INSTALLED_APPS = ["procurement.sandbox"]
MIDDLEWARE = [
    "procurement.sandbox.protocol.SupplierApiMiddleware",
    "procurement.sandbox.guard.LocalOnlyMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {}}]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(DB_FILE),
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
# Cookies know no ports: another name keeps the dashboard on the same host from losing its own.
CSRF_COOKIE_NAME = "sandbox_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Strict"
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    # A refused request is this program's daily work, not news.
    "loggers": {"django.request": {"level": "ERROR"}, "httpx": {"level": "WARNING"}},
}
