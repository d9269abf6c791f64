"""Rows that take long to make for real, made by the same services in a moment."""

from __future__ import annotations

from catalog import services as catalog_services
from catalog.ingest.digest import Digests
from contracts.models import Contract
from contracts.services.requests import decide_request, withdraw_request
from contracts.services.signing import resume_contract, suspend_contract
from parties.models import User
from sandbox.disclosure.complementary import all_cells
from sandbox.disclosure.evidence import summary
from sandbox.disclosure.published import Value, table_of
from sandbox.engines.overlap import outline_schema
from sandbox.formats import to_ipc
from sandbox.guard import cell_values
from sandbox.ledger import earlier
from sandbox.models import Release, Run
from sandbox.scripts import preparing
from sandbox.services import execute
from sandbox.services.reviews import review_run, review_script
from sandbox.services.scripts import submit_script
from sandbox.services.submit import Question, submit
from sandbox.services.trials import try_terms
from tests import factories
from tests.computed import submitted


def released_without_a_jail(user: User, contract: Contract) -> Release:
    """A run through all its states; the table is made up instead of being computed."""
    claimed = execute.claim(str(submitted(user, contract).uid))
    assert claimed is not None
    give_made_up(claimed)
    execute.hold(claimed, engine_seconds=0.1)
    return Release.objects.get(run=claimed.run)


def give_made_up(claimed: execute.Claimed) -> None:
    """An answer in the right form with made-up numbers, kept without comparing it to others."""
    question, terms = claimed.asked.query, claimed.terms
    cells = list(all_cells(tuple(map(len, cell_values(question, terms)))))
    numbers: dict[str, list[Value]] = {m.label: [20] * len(cells) for m in question.measures}
    body = to_ipc(table_of(cells, numbers, question, terms))
    known = {answer.pk: execute.Compared(answer.key, None) for answer in earlier(claimed.answer)}
    outline = to_ipc(outline_schema(question).empty_table())
    given = execute.Given(body, body, outline, summary(question, terms), "sha256:0")
    assert execute.give(claimed, given, known) == []


def reviewed_without_a_jail(city: factories.City, contract: Contract) -> Run:
    """A script that two have read, whose records are those it read, and a run over them that one of two has seen."""
    source = 'emit(extracts["electricity"].to_table())'
    script = submit_script(
        actor=factories.actor(city.enterprise),
        contract=contract,
        dataset="electricity",
        source=source,
        title="x",
    )
    reviewers = [
        factories.actor(u) for u in (city.bureau, factories.account("second", city.bureau.organization))
    ]
    for reviewer in reviewers:
        review_script(actor=reviewer, script=script, verdict="approve", note="x")
    held = preparing.claim(str(script.uid))
    assert held is not None
    preparing.done(held, Digests(1, held.extract.sha256, held.extract.sm3))
    text = "SELECT month, COUNT(DISTINCT credit_code) AS n FROM electricity GROUP BY month"
    question = Question(text=text, script=str(script.uid))
    run = submit(actor=factories.actor(city.enterprise), contract=contract, question=question)
    claimed = execute.claim(str(run.uid))
    assert claimed is not None
    give_made_up(claimed)
    execute.hold(claimed, engine_seconds=0.1)
    return review_run(actor=reviewers[0], run=claimed.run, verdict="approve", note="x")


def busy_city() -> factories.City:
    """Something in most states: contracts in force, suspended and unsigned, requests withdrawn and declined, runs."""
    city = factories.city()
    bureau = factories.actor(city.bureau)
    power, water = factories.published_dataset(city.power), factories.water_dataset(city.water)
    catalog_services.register_source(
        actor=factories.actor(city.power), name="grid", url="postgresql://u:p@db.example.org/grid"
    )
    contract = factories.signed_contract(city.enterprise, [power], city.deciders, limits={"allow_scripts": 1})
    suspend_contract(actor=bureau, contract=contract, reason="x")
    resume_contract(actor=bureau, contract=Contract.objects.get(pk=contract.pk))
    suspended = factories.signed_contract(city.enterprise, [power, water], city.deciders)
    suspend_contract(actor=bureau, contract=suspended, reason="x")
    factories.drafted_contract(city.enterprise, [water], city.deciders)
    withdraw_request(
        actor=factories.actor(city.enterprise), request=factories.filed_request(city.enterprise, [power])
    )
    declined = factories.filed_request(city.enterprise, [power, water])
    try_terms(actor=factories.actor(city.power), request=declined)
    decide_request(actor=factories.actor(city.power), request=declined, outcome="decline", reason="no")
    submitted(city.enterprise, contract)
    released_without_a_jail(city.enterprise, contract)
    reviewed_without_a_jail(city, contract)
    return city
