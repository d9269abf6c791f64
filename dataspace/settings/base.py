"""Settings shared by every way of running. All that differs between machines comes from the environment.

`environment.py` reads it and stops the start with the name of a missing variable and a hint.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import django_stubs_ext
from csp.constants import NONE, SELF

from dataspace.settings import environment as env
from sandbox.isolation.limits import Limits

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent.parent

SECRET_KEY = env.required("DATASPACE_SECRET_KEY", "any long random text; signs sessions")
ALLOWED_HOSTS = env.listed("DATASPACE_ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.listed("DATASPACE_TRUSTED_ORIGINS", [])
DEBUG = False

# --- Keys and places of our own -------------------------------------------------------------------------
# Encrypts the organizations' private signing keys and data-source passwords at rest (Fernet, newest first).
KEY_ENCRYPTION_KEYS = env.listed_required(
    "DATASPACE_KEY_ENCRYPTION_KEY", "a Fernet key; several by comma, newest first"
)
# Keys the pseudonyms of privacy units and the record keys of extracts. Never changes while extracts live.
SPACE_KEY = env.required("DATASPACE_SPACE_KEY", "64 hexadecimal digits")
DATA_DIR = Path(env.text("DATASPACE_DATA_DIR", str(BASE_DIR / "var")))
EXTRACTS_DIR = DATA_DIR / "extracts"
# What each contributor adds to each cell, kept for later questions (sandbox/kept); those used longest ago make room.
KEPT_DIR = DATA_DIR / "kept"
KEPT_BYTES = int(env.text("DATASPACE_KEPT_BYTES", str(2 * 1024**3)))
UPLOADS_DIR = DATA_DIR / "uploads"
# Folders whose Unix sockets a provider may name as a data source; none unless the operator lists them.
SOURCE_SOCKETS = env.listed("DATASPACE_SOURCE_SOCKETS", [])
SPACE_NAME = env.text("DATASPACE_NAME", "泉城可信数据空间")

# --- The log as outsiders see it (docs/audit-log.md) ----------------------------------------------------
AUDIT_ORIGIN = env.text("DATASPACE_AUDIT_ORIGIN", "dataspace.local/log1")
# Checkpoint and tiles: written by the checkpointer, served by the web server.
TLOG_DIR = Path(env.text("DATASPACE_TLOG_DIR", str(DATA_DIR / "tlog")))
# The log's private keys and what was last signed. Only the checkpointer may read it: the web server must not.
CHECKPOINTER_DIR = Path(env.text("DATASPACE_CHECKPOINTER_DIR", str(DATA_DIR / "checkpointer")))
# Witnesses and quorum (C2SP tlog-policy); without the file nobody witnesses.
AUDIT_POLICY = Path(env.text("DATASPACE_AUDIT_POLICY", str(CHECKPOINTER_DIR / "policy")))
AUDIT_SM2 = env.switch("DATASPACE_AUDIT_SM2", default=True)  # a second signature line, SM2 with SM3
AUDIT_SM3_TREE = env.switch("DATASPACE_AUDIT_SM3_TREE", default=False)  # the parallel tree
AUDIT_LATE_SECONDS = 5.0  # an entry that waits longer to be sealed is told of (audit/lag.py)
AUDIT_MOST_WAITING = 10_000  # and so are more waiting entries than these
AUDIT_TSA_URL = env.text("DATASPACE_AUDIT_TSA_URL", "")  # RFC 3161; "" for no time stamps
AUDIT_TSA_CERTIFICATES = env.text("DATASPACE_AUDIT_TSA_CERTIFICATES", "")  # PEM file of its roots

INSTALLED_APPS = [
    "dataspace",  # before the admin: its base template is ours
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "csp",
    "django_htmx",
    "guardian",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "audit",
    "parties",
    "catalog",
    "contracts",
    "sandbox",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "dataspace.api.gossip.newest_checkpoint",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "dataspace.urls"
WSGI_APPLICATION = "dataspace.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dataspace.portal.context.portal",
            ],
        },
    }
]

# --- Database: PostgreSQL only --------------------------------------------------------------------------
DATABASES = {"default": env.database("DATABASE_URL")}
# A refusal must be recorded after its own transaction rolled back, so services own their transactions.
DATABASES["default"]["ATOMIC_REQUESTS"] = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Counts of failed log-ins and of token requests must hold across processes (dataspace/migrations makes the table).
CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache"}}

# --- People ---------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "parties.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "portal:login"
LOGIN_REDIRECT_URL = "portal:home"
LOGOUT_REDIRECT_URL = "portal:home"
ANONYMOUS_USER_NAME = None  # guardian: nobody holds a grant by being nobody

# --- Language, time -------------------------------------------------------------------------------------
LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "dataspace" / "locale"]
USE_I18N = True
TIME_ZONE = "Asia/Shanghai"
USE_TZ = True

# --- Static files, headers ------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
    }
}
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 8 * 3600
UPLOADS_DIR.mkdir(parents=True, exist_ok=True)
FILE_UPLOAD_TEMP_DIR = UPLOADS_DIR  # the system's /tmp may be small, or memory
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024  # form fields; files stream to disk
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000  # a schema form has a dozen fields for each column
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]

# --- API ------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "dataspace.api.errors.problem",
}
REST_KNOX = {"TOKEN_PREFIX": "ds_", "AUTO_REFRESH": False}
SPECTACULAR_SETTINGS = {
    "TITLE": "dataspace",
    "DESCRIPTION": "城市可信数据空间 · 公共数据授权运营",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "FailureEnum": "sandbox.states.Failure",
        "TrialFailureEnum": "sandbox.states.TrialFailure",
    },
}

# --- Background work ------------------------------------------------------------------------------------
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", "memory://")
# A broker that is down must not hold up a person: the row is written, the sweep sends it again.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
    "retry_on_timeout": False,
}
CELERY_BROKER_CONNECTION_TIMEOUT = 1
CELERY_TASK_IGNORE_RESULT = True  # the row is the truth
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = TIME_ZONE
CELERY_TASK_DEFAULT_QUEUE = "housekeeping"
CELERY_TASK_ROUTES = {
    "sandbox.run": {"queue": "runs"},
    "sandbox.prepare": {"queue": "runs"},
    "sandbox.trial": {"queue": "runs"},  # where the jails are
    "catalog.ingest": {"queue": "ingest"},
}
CELERY_BEAT_SCHEDULE = {
    "sweep-runs": {"task": "sandbox.sweep", "schedule": 5.0, "options": {"expires": 5}},
    "sweep-ingests": {"task": "catalog.sweep", "schedule": 10.0, "options": {"expires": 10}},
    "reconcile": {"task": "audit.reconcile", "schedule": 3600.0, "options": {"expires": 3600}},
    "expire-contracts": {"task": "contracts.expire", "schedule": 15.0, "options": {"expires": 15}},
}

# Limits of one computation (sandbox/isolation/limits.py says what each means).
SANDBOX_LIMITS = Limits(cpu_seconds=120, wall_seconds=300.0, memory_bytes=2048 * 1024 * 1024, threads=2)
SCRIPT_LIMITS = replace(
    SANDBOX_LIMITS, output_bytes=256 * 1024 * 1024
)  # records come back, not a table of cells

# What became of a run is told a whole number of these after it was queued: how long the work took tells of the data.
RELEASE_TICK_SECONDS = env.number("DATASPACE_RELEASE_TICK", 5)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
