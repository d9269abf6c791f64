"""Why nothing is signed or published, or not by everybody: the words, and the rows a page shows."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from audit.models import Trouble

log = logging.getLogger("audit.checkpointer")

_LONGEST_SUBJECT = 300  # as in the table
SEALING, SIGNING, QUORUM, KEY, WITNESS, STAMP = "sealing", "signing", "quorum", "key", "witness", "stamp"

TEXT: dict[str, StrOrPromise] = {
    "sealing.refused": _(
        "Among what waits to be sealed, %(number)s are no entries: %(id)s is the first (%(reason)s). They stay there "
        "and are not sealed; find out who wrote them."
    ),
    "signing.rolled_back": _(
        "The database holds %(entries)s entries, and %(signed)s were signed: it went back in time. Restore the newer "
        "database."
    ),
    "signing.changed": _(
        "Entry %(seq)s is not the one that was sealed: its bytes, leaf hash or link were changed."
    ),
    "signing.other_root": _(
        "The first %(size)s entries do not lead to the root that was signed for them: an old entry was changed."
    ),
    "signing.published_differs": _(
        "The published checkpoint over %(size)s entries (%(where)s) is not one of this log as it stands. Put back the "
        "right one; a file that is away is written again."
    ),
    "signing.no_memory": _(
        "A checkpoint over %(size)s entries was published, and what was signed last is not remembered. If no newer "
        "one was signed: manage.py checkpoint --adopt"
    ),
    "signing.memory_behind": _(
        "A checkpoint over %(size)s entries was published, and only %(signed)s are remembered as signed. If no newer "
        "one was signed: manage.py checkpoint --adopt"
    ),
    "signing.memory_unreadable": _("What was signed last cannot be read: %(reason)s. Restore the file."),
    "signing.other_origin": _(
        "This log is %(origin)s, and the settings say %(setting)s. The origin of a log never changes."
    ),
    "signing.folder": _("A folder of the log cannot be used: %(reason)s"),
    "signing.no_key": _("No Ed25519 key is left to sign with. Add one: manage.py log_key add ed25519"),
    "signing.policy": _("The policy of witnesses and quorum cannot be read: %(reason)s"),
    "signing.signer": _("No signature: %(reason)s"),
    "signing.tiles": _("The published tiles do not lead to the root of the entries: %(reason)s"),
    "quorum.missing": _(
        "The checkpoint over %(size)s entries waits for witnesses: their cosignatures do not make the quorum."
    ),
    "key.unknown_retirement": _(
        "Entry %(seq)s retires a key that nobody has retired here. It goes on signing; find out who wrote the entry."
    ),
    "key.unknown_addition": _(
        "Entry %(seq)s announces a key that is not among the keys here. It signs nothing."
    ),
    "witness.unreachable": _("The witness does not answer: %(reason)s"),
    "witness.slow": _("The witness has not answered in time."),
    "witness.unknown_log": _("The witness does not know this log (404). Have its operator add it."),
    "witness.unknown_key": _(
        "The witness trusts none of the keys that sign (403). Have its operator add one."
    ),
    "witness.other_history": _(
        "The witness saw ANOTHER HISTORY of this log than the one signed here. Its answer is kept as evidence in "
        "%(evidence)s."
    ),
    "witness.ahead": _("The witness has seen %(seen)s entries, more than the %(size)s signed here."),
    "witness.bad_cosignature": _("The cosignature does not hold: %(reason)s"),
    "witness.answer": _("The witness gave an answer that cannot be used: %(reason)s"),
    "stamp.failed": _("No time stamp for the first checkpoint of %(day)s: %(reason)s"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `code` is a key of TEXT; `subject` the witness or key it is about."""

    code: str
    subject: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return f"{self.subject}: {self._words}" if self.subject else self._words

    @property
    def _words(self) -> str:
        return str(TEXT[self.code]) % self.facts


class WillNotSign(RuntimeError):
    """The checkpointer refuses to sign, and goes on refusing until the reason is gone."""

    def __init__(self, code: str, **facts: Any) -> None:
        self.finding = Finding(f"{SIGNING}.{code}", facts=facts)
        super().__init__(self.finding.text)


def words(trouble: Trouble) -> str:
    """The trouble in the reader's language."""
    return Finding(trouble.code, trouble.subject, trouble.facts).text


def set_all(area: str, findings: Iterable[Finding]) -> None:
    """These and no others are wrong in `area`. What was wrong before keeps its `since`; what is new is logged."""
    now = {(finding.code, finding.subject): finding for finding in map(_storable, findings)}
    with transaction.atomic():
        for trouble in Trouble.objects.filter(code__startswith=f"{area}."):
            finding = now.pop((trouble.code, trouble.subject), None)
            if finding is None:
                trouble.delete()
            elif trouble.facts != finding.facts:
                trouble.facts = finding.facts
                trouble.save(update_fields=["facts"])
        for finding in now.values():
            log.error("%s", finding.text)
        Trouble.objects.bulk_create(
            Trouble(code=one.code, subject=one.subject, facts=one.facts) for one in now.values()
        )


def _storable(finding: Finding) -> Finding:
    """Words from elsewhere may hold what no database takes."""
    facts = {name: _text(value) if isinstance(value, str) else value for name, value in finding.facts.items()}
    return Finding(finding.code, _text(finding.subject)[:_LONGEST_SUBJECT], facts)


def _text(value: str) -> str:
    return value.encode(errors="replace").decode().replace("\0", "?")
