"""Services: the one way to change anything, each with an actor, each one transaction and a record (P3)."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.source import ROOT, calls, dotted, modules, name_of, tree

# Public functions of services that are no use case of a person, and why.
EXCEPTIONS = {
    "catalog/services/hand_in.py:hand_in_file": "stores the bytes before the transaction; what it then calls is the use case",
    "catalog/services/listing.py:core_grade": "the words of a refusal",
    "catalog/services/schemas.py:digest": "reads only",
    "contracts/services/drawing_up.py:draw_up": "part of the use case that grants the request",
    "contracts/services/requests.py:contract_of": "reads only",
    "contracts/services/signing.py:expire_contracts": "the clock acts, as SYSTEM; each contract in its own transaction",
    "sandbox/services/download.py:provenance": "reads only",
    "sandbox/services/preview.py:preview": "reads only; charges and records nothing",
    "sandbox/services/reproduce.py:reproduce": "computes again and compares; changes nothing",
    "sandbox/services/submit.py:checked": "pure: text to a checked query",
    "sandbox/services/submit.py:facts_for": "pure: what is asked, as facts",
    "sandbox/services/execute.py:claim": "the worker acts, as SYSTEM, fenced by its claim",
    "sandbox/services/execute.py:keep": "the worker acts, as SYSTEM, fenced by its claim",
    "sandbox/services/execute.py:give": "the worker acts, as SYSTEM, under the ledger's lock",
    "sandbox/services/execute.py:hold": "the worker acts, as SYSTEM, fenced by its claim",
    "sandbox/services/execute.py:finish": "the clock acts, as SYSTEM, on what a worker held",
    "sandbox/services/execute.py:end": "the worker acts, as SYSTEM, fenced by its claim",
    "sandbox/services/execute.py:give_back": "the worker acts, as SYSTEM, fenced by its claim",
    "sandbox/services/execute.py:sweep": "the clock acts, as SYSTEM",
}

SERVICES = {
    f"{name_of(path)}:{node.name}": node
    for path in [*ROOT.glob("*/services/*.py"), *ROOT.glob("*/services.py")]
    for node in tree(path).body
    if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
}


def use_case_of(service: ast.FunctionDef) -> ast.Call | None:
    found = [d for d in service.decorator_list if isinstance(d, ast.Call) and dotted(d.func) == "use_case"]
    return found[0] if found else None


def test_there_are_services_and_no_exception_is_for_one_that_is_gone():
    assert len(SERVICES) > 20
    assert EXCEPTIONS.keys() - SERVICES.keys() == set()


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - EXCEPTIONS.keys()))
def test_a_service_is_a_use_case_with_an_actor(name):
    service = SERVICES[name]
    decorated = use_case_of(service)
    assert decorated is not None, "decorate it with use_case, or say in EXCEPTIONS why not"
    assert not service.args.args, "services take keywords only"
    keywords = {argument.arg for argument in service.args.kwonlyargs}
    assert "actor" in keywords
    (about,) = (
        k.value.value for k in decorated.keywords if k.arg == "about" and isinstance(k.value, ast.Constant)
    )
    assert about == "-" or about in keywords or name.endswith(":file_request"), (
        "`about` names one of its arguments"
    )


def test_every_use_case_has_its_own_name_or_shares_it_with_its_like():
    names: dict[str, list[str]] = {}
    for name, service in SERVICES.items():
        decorated = use_case_of(service)
        if decorated is not None:
            names.setdefault(str(decorated.args[0].value), []).append(name.partition(":")[0])  # type: ignore[attr-defined]
    assert {what for what, files in names.items() if len(set(files)) > 1} == set()


def test_use_cases_are_not_nested():
    """Each owns its transaction: a service that calls another would be refused by `durable`."""
    plain = {name.partition(":")[2] for name, service in SERVICES.items() if use_case_of(service)}
    nested = [
        f"{name} calls {dotted(node.func)}"
        for name, service in SERVICES.items()
        if use_case_of(service)
        for node in ast.walk(service)
        if isinstance(node, ast.Call) and dotted(node.func) in plain
    ]
    assert nested == []


def test_states_change_through_move_only():
    """No `queryset.update(state=…)`, no `bulk_update` of states, no assignment to `.state` outside of `move`."""
    wrong = []
    for path in modules():
        if name_of(path) == "audit/transitions.py":
            continue
        for call in calls(path):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            states = name == "update" and any(
                keyword.arg in {"state", "state_since"} for keyword in call.keywords
            )
            if states or name == "bulk_update":
                wrong.append(f"{name_of(path)}:{call.lineno}")
        for node in ast.walk(tree(path)):
            targets = node.targets if isinstance(node, ast.Assign) else []
            for target in targets:
                for one in target.elts if isinstance(target, ast.Tuple) else [target]:
                    fresh = isinstance(one, ast.Attribute) and one.attr == "state" and not _is_new(path, node)
                    if fresh:
                        wrong.append(f"{name_of(path)}:{node.lineno}")
    assert wrong == []


# Where a row that was not saved yet, or a form's copy of one, gets its first state.
FIRST_STATES = {"catalog/services/hand_in.py": "version.state", "catalog/admin/dataset.py": "obj.state"}


def _is_new(path, node: ast.Assign) -> bool:
    allowed = FIRST_STATES.get(name_of(path))
    text = ast.unparse(node)
    return allowed is not None and allowed in text


def test_pages_and_the_api_change_nothing_by_themselves():
    """Views call services: no `.save()`, `.delete()`, `.create()` of a model outside of rooms' own services."""
    wrong = []
    for path in modules("dataspace/portal", "dataspace/api"):
        for call in calls(path):
            name = dotted(call.func)
            if (
                name.endswith((".objects.create", ".objects.update", ".bulk_create", ".delete", ".save"))
                and name != "AuthToken.objects.create"
            ):
                wrong.append(f"{name_of(path)}:{call.lineno} {name}")
    assert wrong == []
