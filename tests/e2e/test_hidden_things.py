"""P6, in the browser: what belongs to another enterprise is not there."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest

from tests.e2e.visitor import Visitor
from tests.e2e.worlds import World, furnished

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def world(space) -> World:
    return furnished()


def test_what_belongs_to_another_enterprise_is_not_there(visit, world: World) -> None:
    """The very same page under the addresses of another's things as under addresses of nothing at all."""
    rival = visit("rival")
    rival.log_in()
    own = [world.request, world.contract, f"{world.contract}compute/", world.run, f"{world.run}status/",
           f"{world.release}csv/", f"{world.release}receipt/", f"{world.release}evidence/"]  # fmt: skip
    for path in own:
        absent = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", str(uuid4()), path)
        assert shown(rival, path) == shown(rival, absent)
    rival.picture("not-there")
    for path in ("/requests/", "/contracts/", "/runs/", "/"):
        text = rival.open(path).content()
        assert not any(thing in text for thing in own)
    owner = visit("enterprise")
    owner.log_in()
    owner.open(world.run)
    owner.sees("#result")


def shown(visitor: Visitor, path: str) -> str:
    with visitor.expecting(404):
        visitor.page.goto(path)
    return visitor.page.title() + visitor.page.locator("main").inner_html()
