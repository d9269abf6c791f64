"""Disclosure control: pure rules on tables, and `protect`, which applies them."""

from sandbox.disclosure.findings import MARKER
from sandbox.disclosure.protect import protect
from sandbox.disclosure.protected import Protected

__all__ = ["MARKER", "Protected", "protect"]
