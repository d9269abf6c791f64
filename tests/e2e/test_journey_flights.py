"""The main job on real data, in the browser: published, asked for, granted, signed, computed, released, verified, stopped."""

from __future__ import annotations

import pytest

from parties.roles import OrganizationKind, Role
from tests import factories
from tests.e2e import flights
from tests.e2e.steps import agreeing, checking, computing, publishing
from tests.e2e.steps.journey import Journey

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ACCOUNTS = {
    "steward": ("airport", Role.STEWARD),
    "approver": ("airport", Role.APPROVER, Role.SIGNATORY),
    "bureau": ("bureau", Role.APPROVER, Role.SIGNATORY),
    "enterprise": ("enterprise", Role.SIGNATORY),
    "auditor": ("auditor", Role.AUDITOR),
}


@pytest.fixture
def world(workers) -> None:
    """Four organizations, an account for each post; nothing is published yet."""
    organizations = {
        "airport": factories.organization(OrganizationKind.PROVIDER, "示例机场集团"),
        "bureau": factories.organization(OrganizationKind.BUREAU, "示例市大数据局"),
        "enterprise": factories.organization(OrganizationKind.ENTERPRISE, "示例航运数据公司"),
        "auditor": factories.organization(OrganizationKind.AUDITOR, "示例会计师事务所"),
    }
    for name, (of, *roles) in ACCOUNTS.items():
        factories.account(name, organizations[of], Role.MEMBER, *roles)


def test_a_dataset_goes_from_its_provider_to_a_result_that_anyone_can_check(visit, tmp_path) -> None:
    way = Journey(flights.file(tmp_path), tmp_path)
    way.people = {name: visit(name) for name in ACCOUNTS}
    publishing.steward_describes_and_uploads(way)
    publishing.steward_corrects_the_schema(way)
    publishing.steward_decides_publishes_and_lists(way)
    agreeing.enterprise_finds_it_and_files_a_request(way)
    for decider in ("approver", "bureau"):
        agreeing.decides_from_the_queue(way, decider)
    agreeing.enterprise_opens_the_contract(way)
    for signatory in ("enterprise", "approver", "bureau"):
        agreeing.signs_from_the_queue(way, signatory)
    computing.enterprise_computes_with_the_form(way)
    computing.enterprise_is_refused_in_sql_and_mends_it(way)
    computing.enterprise_downloads_every_format(way)
    checking.auditor_verifies_exports_and_finds_a_flipped_byte(way)
    checking.bureau_suspends_and_everything_stops(way)
