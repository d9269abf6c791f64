"""`MachineError`: something about this machine prevents the start; its text says what to do."""

from __future__ import annotations


class MachineError(Exception):
    """Shown at the terminal as it is: what is wrong, then the line that mends it."""
