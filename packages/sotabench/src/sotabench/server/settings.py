"""The site's settings. This file alone reads the environment.

| variable | meaning | default |
|---|---|---|
| `SOTABENCH_DATA` | folder of the database, uploaded files and the secret key | `./sotabench-data` |
| `DATABASE_URL` | `postgresql://user:password@host:port/name`; else SQLite in the data folder | |
| `SOTABENCH_SECRET_KEY` | key that signs sessions; else the file `secret-key` of the data folder | |
| `SOTABENCH_HOSTS` | names, with commas between, that the site is asked for; loopback names always work | |
| `SOTABENCH_HTTPS` | `true`: cookies and redirects for HTTPS only, HSTS | `false` |
| `SOTABENCH_BEHIND_PROXY` | `true`: believe `X-Forwarded-Proto` and `X-Forwarded-For` of the proxy in front | `false` |
| `SOTABENCH_MEMBERS_ONLY` | `true`: who is not signed in sees nothing; no new accounts unless named below | `false` |
| `SOTABENCH_SIGNUP` | who makes accounts: `true` anybody, `oidc` whom that provider knows, `false` the owner | `true` |
| `SOTABENCH_NAME` | what the site is called on its pages | `sotabench` |
| `SOTABENCH_HELP_URL` | where people ask for help (a forum, a discussion page): shown on every page | |
| `SOTABENCH_DEFAULT_HOST` | git host of a repository that is named without one | `github.com` |
| `SOTABENCH_URL_PUBLIC` | the site's own address, for links that it sends out; else from `SOTABENCH_HOSTS` | |
| `SOTABENCH_INTERNAL_HOSTS` | `host:port`, with commas between, that this site may ask although they are not public | |
| `SOTABENCH_BUILD_APPROVAL` | `true`: a repository's first build waits for the approval of the site's owner | `true` |
| `SOTABENCH_BUILD_HOURS` | hours that the builds of one repository may run in 30 days | `100` |
| `SOTABENCH_BUILDS_WAITING` | builds of one repository that may wait | `20` |
| `SOTABENCH_DRAIN` | `true`: nothing new is built; `sotabench drain on` does it while the site runs | `false` |
| `SOTABENCH_POLL_MINUTES` | how often a repository's host is asked for new commits | `10` |
| `SOTABENCH_KEEP_DAYS` | days after which logs, unlisted previews and webhooks' deliveries are removed | `90` |
| `SOTABENCH_BUILDS_AT_ONCE` | builds of one repository that may run at the same time | `1` |
| `SOTABENCH_LEASE_SECONDS` | seconds of a runner's silence after which its builds are another's | `60` |
| `SOTABENCH_RERUN_AFTER_DAYS` | days after which a result is measured again, though nothing changed | `90` |
| `SOTABENCH_BASE_PYTHON` | interpreter that has torchbench, which reads data sets | this one, if it has it |
| `SOTABENCH_METRICS_TOKEN` | `/metrics` wants it as bearer token; without it only this machine may ask | |
| `SOTABENCH_LOG` | `json` or `text` | `json` |
| `SOTABENCH_GITHUB_ID`, `SOTABENCH_GITHUB_SECRET` | OAuth application for signing in with GitHub | |
| `SOTABENCH_OIDC_URL`, `SOTABENCH_OIDC_ID`, `SOTABENCH_OIDC_SECRET` | OpenID Connect provider | |
| `SOTABENCH_OIDC_NAME` | its name on the sign-in page | `Single sign-on` |
| `SOTABENCH_EMAIL_HOST`, `SOTABENCH_EMAIL_FROM` | SMTP server for mail; without one, mail goes to the log | |
"""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONE, SELF

from sotabench.errors import Misconfigured
from sotabench.server.database_url import database_settings

_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
_PATTERN = re.compile(rf"\*|\.?{_HOST.pattern}")
_WITH_PORT = re.compile(rf"({_HOST.pattern}):[0-9]{{1,5}}")
_LONG = 40
_CENTURY, _YEAR = 36_500, 366  # in days: times further away are none that a database can hold


def _flag(name: str, *, default: bool = False) -> bool:
    text = os.environ.get(name, "").lower()
    if text not in {"", "true", "false"}:
        raise Misconfigured(f"expected {name} to be true or false, found {text!r}; set it to one of the two")
    return text == "true" if text else default


def _signup(*, members_only: bool) -> tuple[bool, bool]:
    """Whether anybody may make an account, and whether whoever the OpenID Connect provider knows may."""
    text = os.environ.get("SOTABENCH_SIGNUP", "").lower()
    if text not in {"", "true", "oidc", "false"}:
        raise Misconfigured(f"expected SOTABENCH_SIGNUP to be true, oidc or false, found {text!r}")
    is_open = text == "true" if text else not members_only
    return is_open, is_open or text == "oidc"


def _url(name: str) -> str:
    text = os.environ.get(name, "")
    try:
        parts = urlsplit(text)
        is_one = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if text and not is_one:
        raise Misconfigured(f"expected {name} to be an http or https address, found {text!r}")
    return text


def _names(name: str, shape: re.Pattern[str], shown: str) -> list[str]:
    found = [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]
    if odd := next((one for one in found if not shape.fullmatch(one)), None):
        raise Misconfigured(f"expected {name} to be {shown}, with commas between, found {odd!r}")
    return found


def _host(name: str, default: str = "") -> str:
    text = os.environ.get(name) or default
    if text and not _HOST.fullmatch(text):
        raise Misconfigured(f"expected {name} to be a host such as git.example.org, found {text!r}")
    return text


def _number(name: str, default: int, *, most: int) -> int:
    text = os.environ.get(name, "")
    if text and not (text.isascii() and text.isdigit() and len(text) < _LONG and 0 < int(text) <= most):
        raise Misconfigured(f"expected {name} to be a whole number from 1 to {most}, found {text[:_LONG]!r}")
    return int(text) if text else default


def _choice(name: str, *choices: str) -> str:
    text = os.environ.get(name) or choices[0]
    if text not in choices:
        raise Misconfigured(f"expected {name} to be {' or '.join(choices)}, found {text!r}")
    return text


def _beside(name: str, needed: str) -> str:
    """The variable `name`, which means nothing without `needed`."""
    if (text := os.environ.get(name, "")) and not os.environ.get(needed):
        raise Misconfigured(f"expected {needed} beside {name}, found none; set both or neither")
    return text


def _secret_key(folder: Path) -> str:
    if key := os.environ.get("SOTABENCH_SECRET_KEY"):
        return key
    file = folder / "secret-key"
    return file.read_text(encoding="ascii").strip() if file.exists() else ""


# The site.

DATA = Path(os.environ.get("SOTABENCH_DATA") or "sotabench-data").resolve()
SITE_NAME = os.environ.get("SOTABENCH_NAME") or "sotabench"
HELP_URL = _url("SOTABENCH_HELP_URL")
MEMBERS_ONLY = _flag("SOTABENCH_MEMBERS_ONLY")
SIGNUP_OPEN, SIGNUP_BY_OIDC = _signup(members_only=MEMBERS_ONLY)
DEFAULT_GIT_HOST = _host("SOTABENCH_DEFAULT_HOST", "github.com")
BUILD_APPROVAL = _flag("SOTABENCH_BUILD_APPROVAL", default=True)
BUILD_HOURS = _number("SOTABENCH_BUILD_HOURS", 100, most=1_000_000)
BUILDS_WAITING = _number("SOTABENCH_BUILDS_WAITING", 20, most=1_000_000)
DRAIN = _flag("SOTABENCH_DRAIN")
POLL_MINUTES = _number("SOTABENCH_POLL_MINUTES", 10, most=_YEAR * 1440)
KEEP_DAYS = _number("SOTABENCH_KEEP_DAYS", 90, most=_CENTURY)
INTERNAL_HOSTS = [name.lower() for name in _names("SOTABENCH_INTERNAL_HOSTS", _WITH_PORT, "host:port")]
BUILDS_AT_ONCE = _number("SOTABENCH_BUILDS_AT_ONCE", 1, most=10_000)
LEASE_SECONDS = _number("SOTABENCH_LEASE_SECONDS", 60, most=86_400)
RERUN_AFTER_DAYS = _number("SOTABENCH_RERUN_AFTER_DAYS", 90, most=_CENTURY)
BASE_PYTHON = os.environ.get("SOTABENCH_BASE_PYTHON", "")
METRICS_TOKEN = os.environ.get("SOTABENCH_METRICS_TOKEN", "")

# Django.

DEBUG = False
SECRET_KEY = _secret_key(DATA)
ROOT_URLCONF = "sotabench.server.urls"
WSGI_APPLICATION = "sotabench.server.wsgi.application"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "sotabench.server.accounts",
    "sotabench.server.repositories",
    "sotabench.server.datasets",
    "sotabench.server.builds",
    "sotabench.server.papers",
    "sotabench.server.benchmarks",
    "sotabench.server.announcing",
    "sotabench.server.api",
    "sotabench.server.web",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.github",
    "allauth.socialaccount.providers.openid_connect",
    "csp",
    "ninja",
]

MIDDLEWARE = [
    "sotabench.server.observing.ObserveRequests",
    "sotabench.server.bodies.BodyLimit",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "sotabench.server.accounts.middleware.SessionCookie",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "sotabench.server.accounts.middleware.TokenAuthentication",
    "sotabench.server.accounts.middleware.MembersOnly",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "sotabench.server.accounts.middleware.LeaveByPage",
    "allauth.account.middleware.AccountMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "sotabench.server.web.context.site",
            ],
        },
    },
]

DATABASES = {"default": database_settings(os.environ.get("DATABASE_URL", ""), DATA)}

STATIC_URL = "/static/"
STATIC_ROOT = DATA / "static"
MEDIA_ROOT = DATA / "files"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_MAX_AGE = 3600
FILE_UPLOAD_PERMISSIONS = 0o640
# JSON and forms, which become thirty times as large in memory. The largest that is meant is a webhook's message.
DATA_UPLOAD_MAX_MEMORY_SIZE = 6 << 20
DATA_UPLOAD_MAX_NUMBER_FILES = 201  # the records of a submission, and the predictions of each
# Counts of requests and sign-ins are here: the default of 300 entries would let a stranger push them out.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    },
}

# Who is asked for, and how.

HTTPS = _flag("SOTABENCH_HTTPS")
BEHIND_PROXY = _flag("SOTABENCH_BEHIND_PROXY")
_hosts = _names("SOTABENCH_HOSTS", _PATTERN, "names of hosts without scheme and port")
ALLOWED_HOSTS = [*_hosts, "localhost", "127.0.0.1", "[::1]"]
CSRF_TRUSTED_ORIGINS = [f"{'https' if HTTPS else 'http'}://{name}" for name in _hosts]
URL_PUBLIC = (
    _url("SOTABENCH_URL_PUBLIC") or (f"{'https' if HTTPS else 'http'}://{_hosts[0]}" if _hosts else "")
).rstrip("/")
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^metrics$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if BEHIND_PROXY else 0
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY: dict[str, Any] = {
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
    },
}

# Accounts.

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "sotabench.server.accounts.adapter.AccountAdapter"
SOCIALACCOUNT_ADAPTER = "sotabench.server.accounts.adapter.SocialAccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_USERNAME_VALIDATORS = "sotabench.server.accounts.models.USERNAME_VALIDATORS"
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "10/m/ip,5/5m/key", "signup": "20/h/ip"}
API_REQUESTS_A_MINUTE = {"token": 1200, "address": 240}
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = {}
if _github := _beside("SOTABENCH_GITHUB_ID", "SOTABENCH_GITHUB_SECRET"):
    SOCIALACCOUNT_PROVIDERS["github"] = {
        "APPS": [{"client_id": _github, "secret": os.environ.get("SOTABENCH_GITHUB_SECRET", "")}],
    }
if _oidc := _beside("SOTABENCH_OIDC_ID", "SOTABENCH_OIDC_URL"):
    SOCIALACCOUNT_PROVIDERS["openid_connect"] = {
        "APPS": [
            {
                "provider_id": "oidc",
                "name": os.environ.get("SOTABENCH_OIDC_NAME") or "Single sign-on",
                "client_id": _oidc,
                "secret": os.environ.get("SOTABENCH_OIDC_SECRET", ""),
                "settings": {"server_url": _url("SOTABENCH_OIDC_URL")},
            },
        ],
    }

# Mail and logs.

EMAIL_HOST = _host("SOTABENCH_EMAIL_HOST")
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'console'}.EmailBackend"
DEFAULT_FROM_EMAIL = os.environ.get("SOTABENCH_EMAIL_FROM") or "sotabench@localhost"
LOG_FORMAT = _choice("SOTABENCH_LOG", "json", "text")
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": "sotabench.logs.JsonFormatter"},
        "text": {"()": "sotabench.logs.TextFormatter"},
    },
    "filters": {
        "keys": {"()": "sotabench.server.observing.WithoutKeys"},
        "in one line": {"()": "sotabench.server.outages.InOneLine"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "filters": ["keys", "in one line"],
            "formatter": LOG_FORMAT,
        },
    },
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"django": {"handlers": [], "propagate": True}, "django.server": {"propagate": True}},
}
