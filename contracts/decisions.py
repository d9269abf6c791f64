"""The one door for the sandbox: `decide(contract, facts…) → Permit`, or Refused with the reasons.

Asked at submit, start, while a run goes on, at release and at download (P8). It trusts nothing that was worked out
earlier: the stored document must match its digest, every party's signature must verify over it, and the terms are
read from it anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.refusals import Refused
from contracts.models import Contract
from contracts.policy.canonical import matches
from contracts.policy.constraints import enforce
from contracts.policy.facts import Action, Facts
from contracts.policy.terms import Terms
from contracts.states import ContractState
from parties import keys

_NOT_IN_FORCE = {
    ContractState.DRAFTED: ("contract.unsigned", _("The contract is not signed by all parties yet.")),
    ContractState.SUSPENDED: ("contract.suspended", _("The contract is suspended.")),
    ContractState.TERMINATED: ("contract.terminated", _("The contract was terminated.")),
    ContractState.EXPIRED: ("contract.expired", _("The contract has run out.")),
}


@dataclass(frozen=True, slots=True)
class Permit:
    """The contract permits the act at this moment. `digest` pins the document the decision was read from."""

    terms: Terms
    digest: str


def decide(contract: Contract, facts: Facts) -> Permit:
    """Decide one act. `facts.now`, `consumer`, `purpose` and `scenario` are filled in here from the rows.

    The caller holds the contract's row lock where the decision must not race a suspension (submit, release).
    Raises Refused: contract.unsigned, .suspended, .terminated, .expired, .tampered, or a violated term's code.
    """
    refusal = _NOT_IN_FORCE.get(ContractState(contract.state))
    if refusal:
        raise Refused(*refusal)
    _check_signed(contract)
    facts = replace(
        facts,
        now=timezone.now(),
        consumer=contract.enterprise.iri,
        purpose=contract.request.purpose,
        scenario=contract.request.scenario,
    )
    violations = enforce(contract.terms, facts)
    if violations:
        first = violations[0]
        raise Refused(first.code, first.reason, violations=[v.code for v in violations])
    return Permit(contract.terms, contract.digest)


def is_permitted(contract: Contract, facts: Facts) -> bool:
    try:
        decide(contract, facts)
    except Refused:
        return False
    return True


def _check_signed(contract: Contract) -> None:
    document = bytes(contract.document)
    tampered = Refused(
        "contract.tampered",
        _("The stored contract is not the one that was signed. The operator has been told."),
    )
    if not matches(document, contract.digest):
        raise tampered
    signatures = list(contract.signatures.select_related("key", "organization"))
    parties = {*contract.terms.assigners, contract.terms.assignee}
    if not parties <= {s.organization.iri for s in signatures}:
        raise tampered
    for signature in signatures:
        if signature.key is None or signature.value is None:
            raise Refused(*_NOT_IN_FORCE[ContractState.DRAFTED])
        own_key = signature.key.organization_id == signature.organization_id
        if not own_key or not keys.verify(signature.key, document, bytes(signature.value)):
            raise tampered


__all__ = ["Action", "Facts", "Permit", "decide", "is_permitted"]
