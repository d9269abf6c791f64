"""Which bytes a question reads: the newest extract of each dataset, or what a script prepared. Reads only."""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext_lazy as _

from audit.refusals import Refused
from catalog.models import Dataset, Version
from contracts.models import Contract
from contracts.policy.terms import DatasetTerm, Level, Terms
from sandbox.guard import AggregateQuery
from sandbox.models import Script
from sandbox.spec import ExtractRef


def script_for(uid: str, contract: Contract) -> Script | None:
    """Whose records are asked; None for "". Raises Refused script.unknown, script.not_ready, script.stale."""
    if not uid:
        return None
    script = contract.scripts.filter(uid=uid).first() if _is_uid(uid) else None
    if script is None:
        raise Refused("script.unknown", _("There is no such script under this contract."))
    if script.records is None:
        raise Refused("script.not_ready", _("The script's records are not prepared."))
    term = contract.terms.dataset(script.dataset)
    if term is None or extract_for(term).sha256 != script.extract.sha256:
        raise Refused(
            "script.stale",
            _("The dataset has a newer version than the script read. Submit the script again for that one."),
        )
    return script


def prepared_extracts() -> set[str]:
    """SHA-256 digests of all that scripts prepared: it stays as long as answers may name it."""
    return set(Script.objects.filter(prepared__isnull=False).values_list("prepared__sha256", flat=True))


def _is_uid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def extracts_for(query: AggregateQuery, terms: Terms, script: Script | None = None) -> tuple[ExtractRef, ...]:
    """The newest extract of each source; of the dataset that `script` prepared, its records."""
    if script is not None and script.dataset not in query.sources:
        raise Refused(
            "script.not_asked", _("The question does not ask the dataset that the script prepared.")
        )
    return tuple(
        script.records if script and script.records and script.dataset == term.name else extract_for(term)
        for term in terms.datasets
        if term.name in query.sources
    )


def extract_for(term: DatasetTerm) -> ExtractRef:
    """The newest published version that still has every column of the contract as it was signed."""
    dataset = Dataset.objects.filter(uid=term.uid.removeprefix("urn:uuid:")).first()
    version = dataset.current if dataset else None
    if version is None or not _fits(term, version):
        raise Refused(
            "dataset.no_version",
            _("The dataset %(name)s has no published version that fits the contract.") % {"name": term.name},
            dataset=term.name,
        )
    return ExtractRef(
        table=term.name, dataset_uid=term.uid.removeprefix("urn:uuid:"), version_uid=str(version.uid),
        number=version.number, rows=version.rows or 0, sha256=version.sha256, sm3=version.sm3,
    )  # fmt: skip


def _fits(term: DatasetTerm, version: Version) -> bool:
    schema = version.schema
    columns = [(c, schema.column(c.name)) for c in term.columns]
    has_unit = (term.unit is None) == (schema.unit is None)
    constant = {c.name for c in term.columns if c.level is Level.UNIT}
    same = all(found is not None and found.type is c.type and found.scale == c.scale for c, found in columns)
    return has_unit and same and constant <= version.constant_columns
