"""Disclosure control: pure rules on tables, `protect`, which applies them, and `arrange`, which shows the result."""

from sandbox.disclosure.arrangement import arrange
from sandbox.disclosure.evidence import shown
from sandbox.disclosure.findings import MARKER
from sandbox.disclosure.protect import Protected, protect

__all__ = ["MARKER", "Protected", "arrange", "protect", "shown"]
