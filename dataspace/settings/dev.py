"""One machine, plain HTTP on loopback: what `make demo` runs."""

from __future__ import annotations

from dataspace.settings.base import *  # noqa: F403

SECURE_CROSS_ORIGIN_OPENER_POLICY = None  # has no meaning over plain HTTP, and browsers warn
