"""`Agreement`: terms together with the one sequence of bytes that stands for them.

The only way to bytes that may be signed (`draw_up`) and the only way back (`read`): both check the terms
against each other and every word against the profile, so that what cannot be enforced cannot be signed.
"""

from __future__ import annotations

from dataclasses import dataclass

from audit.refusals import Refused
from audit.wording import say
from contracts.policy.canonical import Algorithm, canonical, digest, parse
from contracts.policy.odrl import from_odrl, to_odrl
from contracts.policy.terms import Terms
from contracts.policy.validate import check_terms


@dataclass(frozen=True, slots=True)
class Agreement:
    uid: str
    terms: Terms
    body: bytes  # canonical JSON: what is signed, stored and shown to an auditor

    def digest(self, algorithm: Algorithm = Algorithm.SHA256) -> str:
        return digest(self.body, algorithm)


def draw_up(terms: Terms, *, uid: str) -> Agreement:
    """Raises Refused `policy.invalid` (details `problems`: all of them), `policy.not_canonical`, ..."""
    _check(terms)
    agreement = Agreement(uid, terms, canonical(to_odrl(terms, uid=uid)))
    if read(agreement.body) != agreement:
        reason = say("The terms cannot be written without loss. Simplify their texts.")
        raise Refused("policy.not_canonical", reason)
    return agreement


def read(body: bytes) -> Agreement:
    """Read signed bytes; raises Refused where they are not exactly what `draw_up` would write."""
    doc = parse(body)
    terms = from_odrl(doc)
    _check(terms)
    return Agreement(doc["uid"], terms, body)


def _check(terms: Terms) -> None:
    problems = check_terms(terms)
    if problems:
        first = problems[0]
        raise Refused(
            "policy.invalid",
            say(
                "The terms cannot be signed yet. %(path)s: %(message)s",
                path=first.path,
                message=first.message,
            ),
            problems=[{"code": p.code, "path": p.path, "message": p.message} for p in problems],
        )
