"""Every main page for each role is fit for its reader: light and dark, wide and narrow, by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.e2e.examination import examine, tab_to
from tests.e2e.visitor import Visitor
from tests.e2e.worlds import World, furnished

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def world(space) -> World:
    return furnished()


def pages_of(world: World) -> dict[str, list[str]]:
    """What each role comes to see in its work; the pages all share stand with one of them."""
    tabs = [
        f"{world.dataset}?tab={tab}"
        for tab in ("overview", "dictionary", "quality", "sample", "versions", "api")
    ]
    return {
        "visitor": ["/", "/login/", "/catalog/", "/catalog/?q=用电", *tabs, "/basket/", f"/runs/{uuid4()}/nothing"],
        "enterprise": ["/", "/requests/", world.request, "/contracts/", world.contract, f"{world.contract}compute/",
                       f"{world.contract}compute/?way=sql", f"{world.suspended}compute/", "/runs/", world.run,
                       *(f"/differencing/?attack={attack}" for attack in ("versions", "cells", "again", "narrow"))],
        "power": ["/", world.request, world.unsigned, "/admin/", "/admin/catalog/dataset/",
                  "/admin/catalog/dataset/add/", world.version],
        "bureau": ["/", world.request, world.contract, world.suspended, f"{world.release}evidence/", "/admin/",
                   "/admin/parties/organization/", "/admin/parties/user/"],
        "auditor": ["/", "/audit/", "/audit/3/", "/audit/copy/"],
    }  # fmt: skip


# The thing one comes to a page for.
MAIN_ACTIONS = {
    "enterprise": [
        ("contract", "main a[href$='/compute/']"),
        ("compute", "button[value=run]"),
        ("run", ".downloads a"),
    ],
    "power": [("request", "form[action$='/decide/'] button"), ("unsigned", "form[action$='/sign/'] button")],
    "bureau": [("contract", "details.confirm > summary")],
    "auditor": [("audit", "form[data-verify] button")],
}


def test_every_page_is_fit_for_every_reader(visit, world: World) -> None:
    wrong: list[str] = []
    for name, paths in pages_of(world).items():
        visitor = visit(name)
        if name != "visitor":
            visitor.log_in()
        for path in paths:
            absent = path.endswith("/nothing")
            if absent:
                with visitor.expecting(404):
                    wrong += examine(visitor, path)
            else:
                wrong += examine(visitor, path)
        wrong += main_actions_by_keyboard(visitor, world)
    assert not wrong, "\n".join(wrong)


def main_actions_by_keyboard(visitor: Visitor, world: World) -> Iterator[str]:
    addresses = {"compute": f"{world.contract}compute/", "audit": "/audit/"}
    visitor.page.set_viewport_size({"width": 1280, "height": 900})
    for place, wanted in MAIN_ACTIONS.get(visitor.name, ()):
        visitor.open(addresses.get(place) or getattr(world, place))
        yield from tab_to(visitor, wanted)
