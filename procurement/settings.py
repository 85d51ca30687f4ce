"""Settings of Countersign. Every environment variable is read here and nowhere else.

| Variable | Meaning | Default |
| --- | --- | --- |
| COUNTERSIGN_ENV | `sandbox` (default) or `live`: which supplier accounts may be used | sandbox |
| COUNTERSIGN_DATA_DIR | folder of the embedded database, broker and keys | `var/` beside manage.py |
| DATABASE_URL | `postgresql://user:password@host:port/name?sslmode=verify-full`; unset = embedded SQLite | |
| BROKER_URL | `amqp://...`, `redis://...`, under TLS `amqps://...`, `rediss://...`; unset = embedded file broker | |
| COUNTERSIGN_QUEUE | name of the queue at the broker; two installations at one broker need two | countersign |
| COUNTERSIGN_SECRET_KEY | Django's secret key; sessions only, never used for codes | made by the demo |
| COUNTERSIGN_MASTER_KEY | wraps every sealing key: base64 of 32 bytes, `file:/path` or `https://host:8200/transit/NAME` | the demo's |
| COUNTERSIGN_MASTER_KEY_FILE | a file that holds it, readable by its owner alone | made by the demo |
| COUNTERSIGN_MASTER_KEY_OTHER | a second master key that opens too, in one of the same three ways, until `rewrap_keys` has ended | |
| COUNTERSIGN_TRANSIT_TOKEN | our token for the key service (HashiCorp Vault), if it is one | |
| COUNTERSIGN_TRANSIT_TOKEN_FILE | a file that holds it and that not everybody may read | |
| COUNTERSIGN_WORK_PER_ACCOUNT | pieces of work that may call one supplier account at a time; fewer than all threads together | 4 |
| COUNTERSIGN_WORK_LEASE | seconds a worker may hold a piece of work before another takes it | 90 |
| COUNTERSIGN_KEEP_READINGS_DAYS | days that every reading of balances and lists is kept; then one balance of each hour | 90 |
| COUNTERSIGN_FACTOR | `1`: nobody gets further without a second factor; always so in `live` | 0 |
| COUNTERSIGN_REVEALS | codes one person may reveal in an hour and in a day, and the team in a day | 10,30,100 |
| COUNTERSIGN_WORKING_HOURS | first and last hour (UTC) of the working day; a reveal outside it is an alert | 6,20 |
| COUNTERSIGN_METRICS_TOKEN | who may read /metrics from another computer: the bearer of this | this computer only |
| COUNTERSIGN_DEBUG | `1` switches Django's debug pages on; refused in `live` | 0 |
| COUNTERSIGN_HOSTS | comma-separated host names served | localhost,127.0.0.1 |
| COUNTERSIGN_SUPPLIER_HOSTS | comma-separated host names at which live supplier accounts may be called | none |
| COUNTERSIGN_MAIL_URL | `smtp://user:password@host:587/desk@cards.example`: sends invitations; unset = links are shown only | |
| COUNTERSIGN_SITE_URL | public address, used in webhook registrations | http://127.0.0.1:8200 |
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parent.parent


def env(name: str, default: str = "") -> str:
    return os.environ.get(name, default).strip()


def env_bool(name: str) -> bool:
    return env(name).lower() in {"1", "true", "yes", "on"}


def env_list(name: str, default: str) -> list[str]:
    return [part.strip() for part in env(name, default).split(",") if part.strip()]


# How PostgreSQL is reached under TLS, in libpq's own words.
TLS_OF_DATABASE = frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey"})


def database(url: str, data_dir: Path) -> dict[str, Any]:
    """The database of DATABASE_URL, or the embedded SQLite file."""
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(data_dir / "countersign.sqlite3"),
            # Opening the file anew for each request costs more than most of its queries.
            "CONN_MAX_AGE": 60,
            # Read-then-write transactions lose to a concurrent writer at once in SQLite's default mode;
            # IMMEDIATE makes them wait for their turn instead.
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": (
                    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-20000;"
                ),
            },
            # A file, not memory: worker threads of a test share it without table locks.
            "TEST": {"NAME": str(Path(tempfile.gettempdir()) / f"countersign-test-{os.getpid()}.sqlite3")},
        }
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(
            "DATABASE_URL must begin with postgresql:// (leave it unset for the embedded SQLite)."
        )
    try:
        port = str(parts.port or "")
    except ValueError:
        # Its words quote what stands there, which is the password's beginning when a / in it is not spelled %2F.
        raise ImproperlyConfigured(
            "DATABASE_URL has no number where its port belongs; write / # ? and @ of a password as %2F %23 %3F %40."
        ) from None
    tls = dict(parse_qsl(parts.query))
    if not tls.keys() <= TLS_OF_DATABASE:
        raise ImproperlyConfigured(
            f"After the ? of DATABASE_URL only these are read: {', '.join(sorted(TLS_OF_DATABASE))}."
        )
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": port,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **tls,
            # What is planned once is looked up by keys, and so are the ledger's rules: no plan is better for some values.
            "options": (
                "-c lock_timeout=3000 -c idle_in_transaction_session_timeout=60000 -c plan_cache_mode=force_generic_plan"
            ),
            # A server that vanishes without a word must not hold a thread for the hours TCP allows by itself.
            "connect_timeout": 5,
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
        },
    }


ENVIRONMENT = env("COUNTERSIGN_ENV", "sandbox")
if ENVIRONMENT not in {"sandbox", "live"}:
    raise ImproperlyConfigured("COUNTERSIGN_ENV must be sandbox or live.")
DATA_DIR = Path(env("COUNTERSIGN_DATA_DIR") or ROOT / "var")
DEBUG = env_bool("COUNTERSIGN_DEBUG")
SANDBOX_SECRET_KEY = "sandbox-only-secret-key-never-used-in-a-live-installation"
# Whether a live installation may start with these is for procurement/web/deployment.py to say.
SECRET_KEY = env("COUNTERSIGN_SECRET_KEY") or (SANDBOX_SECRET_KEY if ENVIRONMENT == "sandbox" else "")
ALLOWED_HOSTS = env_list("COUNTERSIGN_HOSTS", "localhost,127.0.0.1")
SUPPLIER_HOSTS = [host.lower() for host in env_list("COUNTERSIGN_SUPPLIER_HOSTS", "")]
SITE_URL = env("COUNTERSIGN_SITE_URL", "http://127.0.0.1:8200").rstrip("/")
HTTPS = SITE_URL.startswith("https://")
CSRF_TRUSTED_ORIGINS = [SITE_URL]

MASTER_KEY = env("COUNTERSIGN_MASTER_KEY")
# The demo keeps its key in the data folder; commands run beside it find it there.
DEMO_KEY = DATA_DIR / "master.key"
MASTER_KEY_FILE = env("COUNTERSIGN_MASTER_KEY_FILE") or (
    str(DEMO_KEY) if ENVIRONMENT == "sandbox" and not MASTER_KEY and DEMO_KEY.exists() else ""
)
MASTER_KEY_OTHER = env("COUNTERSIGN_MASTER_KEY_OTHER")
TRANSIT_TOKEN = env("COUNTERSIGN_TRANSIT_TOKEN")
TRANSIT_TOKEN_FILE = env("COUNTERSIGN_TRANSIT_TOKEN_FILE")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "django_htmx",
    "heroicons",
    "ledger",
    "procurement.web",
    "procurement.audit",
    "procurement.staff",
    "procurement.work",
    "procurement.vault",
    "procurement.suppliers",
    "procurement.terms",
    "procurement.catalog",
    "procurement.approvals",
    "procurement.bookkeeping",
    "procurement.orders",
    "procurement.people",
    "procurement.claims",
    "procurement.reconciliation",
    "procurement.custody",
    "procurement.onboarding",
    "procurement.desk",
    "procurement.demo",
]

MIDDLEWARE = [
    "procurement.web.middleware.RequestIdMiddleware",
    "procurement.web.middleware.SecurityHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "procurement.web.middleware.NeverStoredMiddleware",
    "procurement.web.middleware.BodySizeMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "procurement.web.middleware.PlainTextMiddleware",
    "procurement.web.middleware.ResumeMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "procurement.staff.middleware.FactorMiddleware",
    "procurement.staff.middleware.TouchMiddleware",
    "procurement.web.middleware.DomainErrorMiddleware",
]

ROOT_URLCONF = "procurement.urls"
WSGI_APPLICATION = "procurement.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "procurement.web.context.shell",
            ],
            "builtins": ["procurement.web.templatetags.ui", "django_htmx.templatetags.django_htmx"],
        },
    }
]
# The project's own field template (templates/ui/field.html) replaces Django's for every form.
FORM_RENDERER = "procurement.web.forms.UiRenderer"

DATABASE_URL = env("DATABASE_URL")
DATABASES = {"default": database(DATABASE_URL, DATA_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ATOMIC_REQUESTS = False

AUTH_USER_MODEL = "staff.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "procurement.staff.passwords.UncommonValidator"},
]
PASSWORD_HASHERS = [
    "procurement.staff.hashers.SlowScrypt",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
# Without one, a sandbox lets a password stand for the second factor; a live installation never does.
FACTOR_REQUIRED = ENVIRONMENT == "live" or env_bool("COUNTERSIGN_FACTOR")
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "login"
SESSION_ENGINE = "procurement.staff.session_store"
# Seconds without anybody at work, and in all, after which a sign-in ends.
SESSION_COOKIE_AGE, SESSION_LONGEST = 30 * 60, 10 * 60 * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
if HTTPS:
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-session", "__Host-csrf"
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Not "no-referrer": under it browsers send forms with "Origin: null", which the CSRF check must refuse.
# Load balancers ask inside, without TLS. A webhook that comes without is refused: redirected, it would come so for ever.
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$", r"^hooks/"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "procurement.web.views.csrf_failure"
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
# No upload touches the disk: it may be a list of codes. What is larger does not arrive.
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
FILE_UPLOAD_MAX_MEMORY_SIZE = 6 * 1024 * 1024
# The largest file a form takes is 5 MiB; each form has a limit of its own below that.
LARGEST_REQUEST = 6 * 1024 * 1024
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [ROOT / "static"]
# The demo serves files straight from static/; a live installation collects, hashes and compresses them first.
WHITENOISE_USE_FINDERS = ENVIRONMENT == "sandbox"
WHITENOISE_MIMETYPES = {".svg": "image/svg+xml; charset=utf-8"}
# By itself it lets every site read them.
WHITENOISE_ALLOW_ALL_ORIGINS = False
if ENVIRONMENT == "live":
    STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }

# The path names the sender. Mail goes out under TLS only.
mail = urlsplit(env("COUNTERSIGN_MAIL_URL"))
MAIL_IS_SET_UP = bool(mail.hostname)
EMAIL_HOST, EMAIL_PORT = mail.hostname or "", mail.port or 587
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(mail.username or ""), unquote(mail.password or "")
EMAIL_USE_TLS, EMAIL_TIMEOUT = True, 10
DEFAULT_FROM_EMAIL = unquote(mail.path.lstrip("/"))

BROKER_URL = env("BROKER_URL")
BROKER_DIR = DATA_DIR / "broker"
QUEUE = env("COUNTERSIGN_QUEUE", "countersign")
# Messages a second, and at once: for one webhook address, and from one sender. TRUSTED_PROXIES stand before the web
# process and each appends the address it saw to X-Forwarded-For; 0: that header is a stranger's and is not read.
WEBHOOK_LIMITS = {"address": (20.0, 600), "sender": (40.0, 1200)}
TRUSTED_PROXIES = int(env("COUNTERSIGN_PROXIES", "0"))
# "process" where time is moved about in one process: tests. The database's clock is the same for all hosts.
SHARED_CLOCK = "database"
# How many pieces of work that call one supplier account may run at a time, on all hosts together.
WORK_PER_ACCOUNT = int(env("COUNTERSIGN_WORK_PER_ACCOUNT", "4"))
KEEP_READINGS_DAYS = max(8, int(env("COUNTERSIGN_KEEP_READINGS_DAYS", "90")))  # a week of days may still be compared
REVEAL_LIMITS = dict(zip(("hour", "day", "team"), map(int, env_list("COUNTERSIGN_REVEALS", "10,30,100")), strict=True))
WORKING_HOURS = tuple(map(int, env_list("COUNTERSIGN_WORKING_HOURS", "6,20")))
METRICS_TOKEN = env("COUNTERSIGN_METRICS_TOKEN")
WORK_LEASE_SECONDS = int(env("COUNTERSIGN_WORK_LEASE", "90"))

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "procurement.web.request_id.RequestIdFilter"}},
    "formatters": {
        "line": {
            "()": "procurement.web.request_id.LineFormatter",
            "fmt": "{asctime} {levelname} {name} [{request_id}] {message}",
            "style": "{",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id"]}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        # Django's own handler would write the words of errors when debug pages are on, and every line twice.
        "django": {"handlers": [], "level": "INFO"},
        # The web server's own would do the same with the error of an answer that broke off while it was sent.
        "gunicorn.error": {"handlers": [], "propagate": True},
        # Below WARNING the first two print whole headers, and a header holds the supplier key; the third prints all that
        # a template was given when it misses a name, and the page of a reveal is given the code.
        **{name: {"level": "WARNING"} for name in ("httpx", "httpcore", "django.template")},
    },
}
DEFAULT_EXCEPTION_REPORTER = "procurement.web.redaction.NoWordsReporter"
DEFAULT_EXCEPTION_REPORTER_FILTER = "procurement.web.redaction.NoVariablesFilter"
