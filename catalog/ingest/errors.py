"""The one way the ingest says no to a provider."""

from __future__ import annotations

from audit.refusals import Refused


class IngestError(Refused):
    """The input or the schema cannot be used as it is.

    `code` is one of source.*, schema.*, rows.*, extract.*; `reason` says what to do. Neither holds a value of the
    data nor a secret: an engine's message may quote a cell, so it is never passed on.
    """
