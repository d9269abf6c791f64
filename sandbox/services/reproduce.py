"""P10: compute a release again from its receipt, and say whether the bytes are the same, or why they cannot be."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from contracts.policy.canonical import digest
from contracts.policy.terms import Lane
from sandbox.guard import AggregateQuery
from sandbox.models import Release
from sandbox.software import software
from sandbox.spec import RunSpec
from sandbox.worker import Worker


@dataclass(frozen=True, slots=True)
class Reproduction:
    """`computed` is the digest of the table computed now, "" where it could not be; `differences` says what is
    not as it was when the release was made (software, by name: then and now).
    """

    released: str
    computed: str
    differences: dict[str, tuple[str, str]]
    problem: str = ""

    @property
    def same(self) -> bool:
        return self.released == self.computed


def reproduce(release: Release, worker: Worker) -> Reproduction:
    """Compute anew in the jail from the extracts the receipt pins. Nothing is stored or charged; for auditors.

    Not in the private lane: to draw its noise again would tell more than was paid for.
    """
    receipt: dict[str, Any] = json.loads(bytes(release.receipt))
    then, now = receipt["software"], software()
    differences = {name: (then.get(name, ""), now[name]) for name in now if then.get(name) != now[name]}
    if receipt.get("lane") == Lane.PRIVATE:
        return Reproduction(receipt["result"], "", differences, "noise is drawn once")
    spec = RunSpec.from_json(release.run.spec)
    query = AggregateQuery.from_json(receipt["query"]["canonical"])
    try:
        table = worker.recompute(spec, query, release.run.contract.terms)
    except Exception as error:  # noqa: BLE001  # whatever keeps it from being computed is the answer
        return Reproduction(receipt["result"], "", differences, type(error).__name__)
    return Reproduction(receipt["result"], digest(table), differences)
