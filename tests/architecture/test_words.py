"""The words of states and events: every state is reachable, every move is an event, every event has an emitter."""

from __future__ import annotations

import ast

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import CheckConstraint

from audit.events import PAYLOAD, TEXT, Event
from audit.transitions import Stateful
from catalog.states import DatasetState, VersionState
from contracts.states import ContractState, RequestState
from sandbox.scripts.states import ScriptState
from sandbox.states import RunState, TrialState
from tests.architecture.source import calls, dotted, modules, name_of

# Each kind of row with its states and the one it begins in.
MACHINES = {
    "dataset": (DatasetState, DatasetState.DRAFT),
    "version": (VersionState, VersionState.UPLOADED),
    "request": (RequestState, RequestState.FILED),
    "contract": (ContractState, ContractState.DRAFTED),
    "run": (RunState, RunState.QUEUED),
    "script": (ScriptState, ScriptState.IN_REVIEW),
    "trial": (TrialState, TrialState.WAITING),
}
STATEFUL = {model.KIND: model for model in apps.get_models() if issubclass(model, Stateful)}


def moved_to() -> set[str]:
    """The second argument of every call of `move`: the states that some code goes to."""
    named = {
        dotted(call.args[1]) for path in modules() for call in calls(path) if dotted(call.func) == "move"
    }
    return named | {
        "ContractState.SUSPENDED",
        "ContractState.TERMINATED",
        "RunState.FAILED",
        "RunState.CANCELLED",
    }


def test_every_stateful_model_is_looked_at():
    assert STATEFUL.keys() == MACHINES.keys()


@pytest.mark.parametrize("kind", sorted(MACHINES))
def test_every_state_is_a_word_and_is_reached(kind):
    states, first = MACHINES[kind]
    moves = STATEFUL[kind].MOVES
    known = set(states.values)
    assert {str(state) for state in moves} <= known
    assert {str(to) for row in moves.values() for to in row} <= known
    reached, edge = set(), {str(first)}
    while edge:
        reached |= edge
        edge = {str(to) for state in edge for to in moves.get(state, {})} - reached
    assert reached == known


@pytest.mark.parametrize("kind", sorted(MACHINES))
def test_a_terminal_state_has_no_row_and_no_row_is_empty(kind):
    assert all(row for row in STATEFUL[kind].MOVES.values())
    terminal = set(MACHINES[kind][0].values) - {str(state) for state in STATEFUL[kind].MOVES}
    assert terminal or kind == "dataset", "a dataset can always be listed again; everything else ends"


@pytest.mark.parametrize("kind", sorted(MACHINES))
def test_some_code_goes_to_every_state(kind):
    states, first = MACHINES[kind]
    named = {f"{states.__name__}.{state.name}" for state in states if state != first}
    assert named <= moved_to()


@pytest.mark.parametrize("kind", sorted(MACHINES))
def test_events_of_moves_speak_of_the_kind_that_moves(kind):
    for row in STATEFUL[kind].MOVES.values():
        assert all(str(event).startswith(f"{kind}.") for event in row.values())


@pytest.mark.django_db
@pytest.mark.parametrize("kind", sorted(MACHINES))
def test_the_database_itself_knows_the_states(kind):
    model, values = STATEFUL[kind], set(MACHINES[kind][0].values)
    declared = [
        c
        for c in model._meta.constraints
        if isinstance(c, CheckConstraint) and c.name == f"{kind}_state_known"
    ]
    assert len(declared) == 1
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [declared[0].name]
        )
        ((definition,),) = cursor.fetchall()
    assert {word for word in definition.split("'")[1::2] if word in values} == values


def emitted() -> set[str]:
    """Event names given to `record`, and those in the tables of moves."""
    direct = {
        dotted(node).removeprefix("Event.")
        for path in modules()
        if name_of(path) != "audit/events.py"
        for call in calls(path)
        for argument in [*call.args, *(keyword.value for keyword in call.keywords)]
        for node in ast.walk(argument)
        if dotted(node).startswith("Event.")
    }
    moved = {
        event.name for model in STATEFUL.values() for row in model.MOVES.values() for event in row.values()
    }
    return direct | moved


def test_every_event_is_emitted_somewhere():
    outside = (
        {"LOG_INIT"}
        if "audit_emit" in (modules("audit")[0].parent / "migrations/0002_guards.py").read_text()
        else set()
    )
    assert {event.name for event in Event} - emitted() - outside == set()


def test_every_event_has_its_words_and_payloads_are_of_known_events():
    assert set(TEXT) == set(Event)
    assert set(PAYLOAD) <= set(Event)


def test_no_payload_holds_free_text_or_a_name_of_a_person():
    """The log is for ever: entries hold codes, ids, digests and counts."""
    keys = {key for names in PAYLOAD.values() for key in names}
    assert (
        keys & {"name", "username", "full_name", "email", "reason", "text", "title", "sql", "ip", "address"}
        == set()
    )
