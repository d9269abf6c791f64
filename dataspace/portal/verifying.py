"""Reading the whole log through the verifier, step by step, so that whoever waits sees how far it is.

Nothing is kept here between two steps: the state of the reading travels with the form, signed, so that a reader can
send nothing back that was not sent to them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from django.conf import settings
from django.core import signing

from audit.models import Checkpoint, Entry
from audit.verifier.judgement import judge
from audit.verifier.known import Known
from audit.verifier.note import Key, parse_checkpoint
from audit.verifier.policy import BadPolicy, Policy, parse_policy
from audit.verifier.reading import Reading
from audit.verifier.result import Report
from audit.verifier.whole import Stated, Whole

STEP = 20_000  # entries of one step: well below a second
_SALT = "dataspace.portal.verifying"
_LIFETIME = 3600  # seconds between two steps


class Expired(ValueError):
    """The state that came back is not one that was sent out within the last hour."""


@dataclass
class Verification:
    """`until`: entries there were when it began. `size`: of the newest checkpoint then, 0 for none.

    `seconds`: spent on reading so far.
    """

    reading: Reading
    until: int
    size: int
    seconds: float = 0.0
    noted: bool = False  # whether heads noted before are looked for

    @classmethod
    def begin(cls, heads: Iterable[str] = ()) -> Verification:
        """`heads` are leaf hashes in hexadecimal that the log has to contain."""
        newest = Entry.objects.order_by("-seq").only("seq").first()
        until = newest.seq + 1 if newest else 0
        signed = Checkpoint.objects.filter(size__lte=until).only("size").first()
        size = signed.size if signed else 0
        wanted = {bytes.fromhex(head) for head in heads}
        return cls(Reading(sizes=[size] if size else [], heads=wanted), until, size, noted=bool(wanted))

    @classmethod
    def resume(cls, token: str) -> Verification:
        """Raises Expired."""
        try:
            state = signing.loads(token, salt=_SALT, max_age=_LIFETIME)
        except signing.BadSignature:
            raise Expired from None
        return cls(Reading.from_json(state.pop("reading")), **state)

    @property
    def token(self) -> str:
        state = {
            "reading": self.reading.to_json(), "until": self.until, "size": self.size, "seconds": self.seconds,
            "noted": self.noted,
        }  # fmt: skip
        return signing.dumps(state, salt=_SALT, compress=True)

    @property
    def done(self) -> bool:
        return self.reading.finding is not None or self.reading.entries >= self.until

    def step(self) -> None:
        """Read the next STEP entries as they are stored now."""
        began, first = time.perf_counter(), self.reading.entries
        rows = Entry.objects.filter(seq__gte=first, seq__lt=min(first + STEP, self.until)).order_by("seq")
        bodies = [bytes(body) for body in rows.values_list("body", flat=True)]
        self.reading.feed(bodies)
        if self.reading.finding is None and not bodies:
            self.until = first  # rows that were counted at the beginning are gone: the judgement says so
        self.seconds += time.perf_counter() - began

    @cached_property
    def report(self) -> Report:
        """When it is done: what was found, held against the checkpoint and the keys this log publishes.

        An outsider holds them against keys of their own: that is what an export is for.
        """
        reading = self.reading
        reading.finish()
        report = Report(origin=reading.rules.origin, entries=reading.entries, head=reading.head)
        report.seconds = self.seconds
        report.finding = reading.finding
        if report.finding is None:
            signed = Checkpoint.objects.filter(size=self.size).first() if self.size else None
            stated = Stated(parse_checkpoint(bytes(signed.note)) if signed else None)
            if stated.checkpoint is not None:
                report.size = stated.checkpoint.size
            report.finding, _memory = judge(report, Whole(reading, stated), _published())
        return report


def _published() -> Known:
    """The keys and witnesses that the log itself names, where it has been signed."""
    path = settings.TLOG_DIR / "policy"
    if not path.exists():
        return Known()
    try:
        policy: Policy = parse_policy(path.read_bytes())
    except BadPolicy:
        return Known()
    keys: tuple[Key, ...] = tuple(log.key for log in policy.logs)
    return Known(keys=keys, policy=policy)
