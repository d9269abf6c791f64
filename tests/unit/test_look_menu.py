"""The menu shows a reader what their organization and roles open, and counts only when it is printed."""

from __future__ import annotations

import pytest

from dataspace.portal import context
from parties.actors import NOBODY, Actor
from parties.models import Organization, User
from parties.roles import OrganizationKind, Role


def actor(kind: OrganizationKind, *roles: Role) -> Actor:
    organization = Organization(name="City", kind=kind)
    return Actor("u", User(username="u"), organization, frozenset(roles))


@pytest.mark.parametrize(
    ("reader", "rules"),
    [
        (NOBODY, {context.everyone}),
        (
            actor(OrganizationKind.ENTERPRISE, Role.MEMBER),
            {context.everyone, context.logged_in, context.takes_part, context.has_organization, context.asks},
        ),
        (
            actor(OrganizationKind.PROVIDER, Role.APPROVER),
            {context.everyone, context.logged_in, context.takes_part, context.has_organization},
        ),
        (
            actor(OrganizationKind.AUDITOR, Role.AUDITOR),
            {context.everyone, context.logged_in, context.has_organization, context.can_read_log},
        ),
        (
            actor(OrganizationKind.AUDITOR, Role.MEMBER),
            {context.everyone, context.logged_in, context.has_organization},
        ),
    ],
)
def test_each_reader_sees_the_pages_that_concern_them(reader: Actor, rules: set[context.Rule]) -> None:
    every = {
        context.everyone,
        context.logged_in,
        context.takes_part,
        context.asks,
        context.has_organization,
        context.can_read_log,
        context.keeps,
    }
    assert {rule for rule in every if rule(reader)} == rules


def test_the_back_office_is_for_staff() -> None:
    clerk = Actor("u", User(username="u", is_staff=True))
    assert context.keeps(clerk)


def test_a_line_of_the_menu_is_current_on_every_page_of_its_area() -> None:
    page = context.Page("Contracts", "portal:contracts", context.everyone, area="portal:contract")
    for here, current in [
        ("portal:contracts", True),
        ("portal:contract_sign", True),
        ("portal:home", False),
        ("", False),
    ]:
        assert context.NavItem(page, NOBODY, "/contracts/", here).current is current


def test_a_queue_is_counted_when_printed_and_only_once() -> None:
    asked: list[Actor] = []

    def count(reader: Actor) -> int:
        asked.append(reader)
        return 3

    item = context.NavItem(
        context.Page("Requests", "portal:requests", context.everyone, count), NOBODY, "/", ""
    )
    assert asked == []
    assert (item.count, item.count) == (3, 3)
    assert asked == [NOBODY]


def test_an_address_this_installation_does_not_serve_is_no_address() -> None:
    assert context.address_of("portal:no-such-page") == ""
