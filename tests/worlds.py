"""Rows that take long to make for real, made by the same services in a moment."""

from __future__ import annotations

import pyarrow as pa

from catalog import services as catalog_services
from contracts.models import Contract
from contracts.services.requests import decide_request, withdraw_request
from contracts.services.signing import resume_contract, suspend_contract
from parties.models import User
from sandbox.disclosure.evidence import summary
from sandbox.formats import to_ipc
from sandbox.models import Release
from sandbox.services import execute
from tests import factories
from tests.computed import submitted


def released_without_a_jail(user: User, contract: Contract) -> Release:
    """A run through all its states; the table is made up instead of being computed."""
    claimed = execute.claim(str(submitted(user, contract).uid))
    assert claimed is not None
    table = pa.table({"district": ["历下区"], "n": [20], "used": [1000]})
    body = to_ipc(table)
    result = execute.Result(body, body, summary(claimed.query, table, claimed.terms), "sha256:0", 0.1)
    release = execute.release(claimed, result)
    assert release is not None
    return release


def busy_city() -> factories.City:
    """Something in most states: contracts in force, suspended and unsigned, requests withdrawn and declined, runs."""
    city = factories.city()
    bureau = factories.actor(city.bureau)
    power, water = factories.published_dataset(city.power), factories.water_dataset(city.water)
    catalog_services.register_source(
        actor=factories.actor(city.power), name="grid", url="postgresql://u:p@db.example.org/grid"
    )
    contract = factories.signed_contract(city.enterprise, [power], city.deciders)
    suspend_contract(actor=bureau, contract=contract, reason="x")
    resume_contract(actor=bureau, contract=Contract.objects.get(pk=contract.pk))
    suspended = factories.signed_contract(city.enterprise, [power, water], city.deciders)
    suspend_contract(actor=bureau, contract=suspended, reason="x")
    factories.drafted_contract(city.enterprise, [water], city.deciders)
    withdraw_request(
        actor=factories.actor(city.enterprise), request=factories.filed_request(city.enterprise, [power])
    )
    declined = factories.filed_request(city.enterprise, [power, water])
    decide_request(actor=factories.actor(city.power), request=declined, outcome="decline", reason="no")
    submitted(city.enterprise, contract)
    released_without_a_jail(city.enterprise, contract)
    return city
