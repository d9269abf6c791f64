"""The forms in which the log may be taken away, and by whom. Each time is on record before the first byte leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from audit import export, openings, scoped
from audit.refusals import Refused
from audit.services import record_export
from audit.transparency import proofs
from parties.actors import Actor
from parties.permissions import (
    can_open,
    check_can_open,
    check_can_read_log,
    check_reads_whole_log,
    reads_whole_log,
)


@dataclass(frozen=True, slots=True)
class Form:
    """`value` is what a page sends back; `name` the file's; `help` what it is good for."""

    value: str
    name: str
    content_type: str
    label: StrOrPromise
    help: StrOrPromise


LINES = Form(
    "lines", "audit-log.jsonl", "application/jsonl", _("All entries, one file"),
    _("Every sealed entry, one a line, with the newest checkpoint behind them."),
)  # fmt: skip
FOLDER = Form(
    "folder", "audit-log.tar", "application/x-tar", _("Folder of tiles"),
    _("What is published, in the format of C2SP tlog-tiles: verifiers of others read it too."),
)  # fmt: skip
OPENINGS = Form(
    "openings", "openings.jsonl", "application/jsonl", _("Openings of personal fields"),
    _("Values and salts, in a file of their own, so that an erasure need not reach old copies of the log."),
)  # fmt: skip
OWN = Form(
    "own", "audit-log-own.jsonl", "application/jsonl", _("Our entries, with their proofs"),
    _("The entries that concern your organization, each proved to stand in the log everybody sees."),
)  # fmt: skip


def open_to(actor: Actor) -> list[Form]:
    """For whoever may read the log at all."""
    if not reads_whole_log(actor):
        return [OWN]
    return [LINES, FOLDER, OPENINGS] if can_open(actor) else [LINES, FOLDER]


def take(actor: Actor, value: str) -> tuple[Form, Iterator[bytes]]:
    """The form and its bytes. Raises Refused: role.missing, log.not_published, export.format."""
    match value:
        case LINES.value:
            check_reads_whole_log(actor)
            record_export(actor=actor)
            return LINES, export.lines()
        case FOLDER.value:
            check_reads_whole_log(actor)
            _checkpoint, pieces = export.tar_stream()
            record_export(actor=actor)
            return FOLDER, pieces
        case OPENINGS.value:
            check_can_open(actor)
            record_export(actor=actor, openings="opened")
            return OPENINGS, openings.lines(opened=True)
        case OWN.value:
            return OWN, _own(actor)
    raise Refused("export.format", _("Choose one of the forms the page offers."))


def _own(actor: Actor) -> Iterator[bytes]:
    """Of the actor's own organization, whatever else it may read."""
    check_can_read_log(actor)
    view = proofs.View()
    changes = view.handovers()
    record_export(actor=actor, scope=actor.organization_uid)
    return scoped.lines(
        actor.organization_uid,
        inclusion=lambda seq: view.inclusion(seq).proof,
        checkpoint=lambda: view.checkpoint.raw,
        key_changes=changes,
    )
