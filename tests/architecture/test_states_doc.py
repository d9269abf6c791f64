"""docs/states.md is drawn from the tables of moves, and says what they say.

Written anew by: `.venv/bin/python -m tests.architecture.test_states_doc > docs/states.md`
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "states.md"

HEAD = """# States

Every state of every thing that has one, and every move there is: drawn from the tables of moves in each room's
`states.py`. A move is made by `audit.transitions.move` only, in the transaction that writes its entry to the log; the
word on an arrow is the entry's event. What has no arrow cannot happen.

Written by `.venv/bin/python -m tests.architecture.test_states_doc > docs/states.md`; a test fails while the page is stale.
"""

ROOMS = ("audit", "parties", "catalog", "contracts", "sandbox", "dataspace")
STORIES = {
    "dataset": "A draft is seen by its provider only. Withdrawn means no new requests; its extracts stay for the contracts "
    "that name them.",
    "version": "Checking and building are background work under a lease. A corrected schema sends the version back to be "
    "checked again; the provider alone decides what becomes of rows that do not fit.",
    "request": "Every provider concerned and the bureau decide their part. The last grant draws up the contract; one "
    "decline closes the request.",
    "contract": "The last signature puts it in force. Expiry here is only the mark: every decision reads the clock "
    "against the signed document itself.",
    "run": "A running row has a claim and a lease. A worker that dies leaves a lease that runs out; the sweep queues the "
    "run again, three attempts at most. What was asked of records that a script prepared waits for two reviewers. "
    "Failed and cancelled always say why.",
    "script": "Two reviewers approve it, or one refuses it. An approved one is run under a lease, once; what it made, or "
    "that it made nothing, is final.",
    "trial": "What terms would withhold, for a decider before the decision. It waits under a claim and a lease until a worker "
    "has computed it; the sweep sends it again, three attempts and ten minutes at most.",
}


def machines() -> list[type]:
    """Every model that has states, in the order of the rooms."""
    from audit.transitions import Stateful

    ours = [model for model in Stateful.__subclasses__() if model._meta.app_label in ROOMS]
    return sorted(ours, key=lambda model: (ROOMS.index(model._meta.app_label), model._meta.model_name))


def page() -> str:
    from django.utils.translation import override

    with override("en"):
        return "\n".join([HEAD, *(line for machine in machines() for line in _section(machine))])


def _section(machine: type) -> Iterator[str]:
    states = type(next(iter(machine.MOVES)))
    first = next(iter(states))
    yield f"## {machine.KIND.capitalize()} (`{states.__module__.replace('.', '/')}.py`)\n"
    yield f"{STORIES[machine.KIND]}\n"
    yield "```mermaid\nstateDiagram-v2"
    yield f"    [*] --> {first}"
    for state in states:
        for to, event in machine.MOVES.get(state, {}).items():
            yield f"    {state} --> {to} : {event}"
        if not machine.MOVES.get(state):
            yield f"    {state} --> [*]"
    yield "```\n"
    yield "| state | shown as |\n|---|---|"
    yield from (f"| `{state}` | {state.label} |" for state in states)
    yield ""


def test_the_page_of_states_says_what_the_code_does() -> None:
    command = "python -m tests.architecture.test_states_doc > docs/states.md"
    assert PAGE.read_text(encoding="utf-8") == page(), f"docs/states.md is stale; write it anew: {command}"


def test_every_machine_has_its_story_and_no_story_tells_of_none() -> None:
    assert {machine.KIND for machine in machines()} == set(STORIES)


def test_every_state_can_be_reached_and_is_known_to_the_choices() -> None:
    for machine in machines():
        states = type(next(iter(machine.MOVES)))
        reached, waiting = set(), [next(iter(states))]
        while waiting:
            state = waiting.pop()
            reached.add(state)
            waiting += [to for to in machine.MOVES.get(state, {}) if to not in reached]
        assert reached == set(states), machine.KIND


if __name__ == "__main__":
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dataspace.settings.test")
    django.setup()
    sys.stdout.write(page())
