"""Download a release: the contract decides once more, and the download goes on record (P8)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.recorder import record
from audit.refusals import Refused
from audit.use_case import use_case
from contracts.names import names_in
from contracts.policy.canonical import digest, matches
from contracts.policy.wording import describe
from parties.actors import Actor
from sandbox.formats import FORMATS, from_ipc, render
from sandbox.models import Release
from sandbox.permissions import check_can_open
from sandbox.receipt_proof import receipt_proof


@dataclass(frozen=True, slots=True)
class Download:
    name: str
    content_type: str
    body: bytes


@use_case("release.download", about="release")
def download(*, actor: Actor, release: Release, format_name: str) -> Download:
    """The release in one of FORMATS, or its receipt with proof that the log names it (`receipt`).

    Raises Refused: role.missing, contract.*, contract.retention, release.format, release.damaged,
    release.receipt_pending, log.damaged.
    """
    check_can_open(actor, release)
    contract = release.run.contract
    name = f"dataspace-{release.uid!s:.8}"
    body = bytes(release.table)
    if not matches(body, release.digest):
        raise Refused(
            "release.damaged", _("The stored result does not match its receipt. The operator has been told.")
        )
    if format_name == "receipt":
        result = Download(f"{name}-receipt.json", "application/json", receipt_proof(release))
    elif format_name in FORMATS:
        chosen = FORMATS[format_name]
        file = render(format_name, from_ipc(body), release.dimensions, provenance(release))
        result = Download(f"{name}.{chosen.suffix}", chosen.content_type, file)
    else:
        raise Refused("release.format", _("Choose CSV, XLSX, Parquet or the receipt."))
    record(
        Event.RELEASE_DOWNLOADED,
        actor=actor,
        about=release,
        format=format_name,
        contract=contract.audit_ref,
    )
    return result


def provenance(release: Release) -> list[tuple[str, str]]:
    """What a reader of the file needs to judge and to check it: (label, text) pairs in the language of the person."""
    run, contract = release.run, release.run.contract
    facts = json.loads(bytes(release.receipt))
    language = "en" if (get_language() or "").startswith("en") else "zh"
    extracts = "; ".join(f"{e['dataset']} v{e['version']} {e['sha256']}" for e in facts["extracts"])
    return [
        (_t("Question"), run.computation.text or json.dumps(run.computation.query, ensure_ascii=False)),
        (_t("Released"), timezone.localtime(release.released).isoformat(timespec="seconds")),
        (_t("Enterprise"), contract.enterprise.name),
        (_t("Contract digest"), contract.digest),
        *describe(contract.terms, language, names=names_in(contract)),
        (_t("Extracts"), extracts),
        *((_t("Records prepared by script"), e["script"]) for e in facts["extracts"] if e.get("script")),
        (_t("Values not shown"), str(release.summary["not_shown"])),
        (_t("Mark"), _t("— means: withheld to protect individuals, or nothing there")),
        (_t("Result digest"), release.digest),
        (_t("Receipt digest"), digest(bytes(release.receipt))),
    ]
