"""The only module that reads the environment."""

from __future__ import annotations

import os
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str) -> str:
    return os.environ.get(name) or default


def required(name: str, hint: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ImproperlyConfigured(
            f"Set {name} ({hint}). `dataspace up` makes one and keeps it in var/keys.env."
        )
    return value


def switch(name: str, *, default: bool) -> bool:
    """`1`, `true`, `yes`, `on` switch on, anything else off."""
    return text(name, str(default)).strip().lower() in {"1", "true", "yes", "on"}


def number(name: str, default: int) -> int:
    """A whole number from 0."""
    value = text(name, str(default)).strip()
    if not (value.isascii() and value.isdigit()):
        raise ImproperlyConfigured(f"{name} must be a whole number from 0, such as {default}.")
    return int(value)


def listed(name: str, default: list[str]) -> list[str]:
    value = os.environ.get(name, "")
    return [part.strip() for part in value.split(",") if part.strip()] or default


def listed_required(name: str, hint: str) -> list[str]:
    required(name, hint)
    return listed(name, [])


def database(name: str) -> dict[str, Any]:
    """`DATABASE_URL` as Django's settings. Only PostgreSQL is supported."""
    url = required(name, "postgresql://user@host/database")
    if not url.startswith(("postgres://", "postgresql://")):
        raise ImproperlyConfigured(f"{name} must be a postgresql:// address; no other database is supported.")
    config: dict[str, Any] = environ.Env.db_url_config(url)
    config["CONN_MAX_AGE"] = 600
    config["CONN_HEALTH_CHECKS"] = True
    return config
