"""A city's real hotline calls with their quirks: what does not fit is told by row and column, and left out by decision.

The steward reads English; the enterprise's journey in Chinese is in `test_journey_flights`.
"""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path

import pytest
from playwright.sync_api import expect

from parties.roles import OrganizationKind, Role
from tests import factories
from tests.e2e.visitor import BACKGROUND, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.shared_data, pytest.mark.django_db(transaction=True)]

CALLS = 1_554
SHOWN = 20  # rows named of each fault


@pytest.fixture
def world(workers) -> None:
    centre = factories.organization(OrganizationKind.PROVIDER, "示例市12345热线中心")
    factories.account("hotline", centre, Role.MEMBER, Role.STEWARD)
    enterprise = factories.organization(OrganizationKind.ENTERPRISE, "泉城示例数据科技公司")
    factories.account("enterprise", enterprise, Role.MEMBER)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_calls_without_a_department_are_reported_and_left_out(shared_data, visit) -> None:
    path = shared_data / "hotline_311_stlouis_2018_01.csv"
    calls = rows(path)
    bad = [n for n, call in enumerate(calls, start=1) if not call["submitto"]]
    assert len(calls) == CALLS
    assert bad
    steward = visit("hotline", locale="en-GB")
    hands_in(steward, path)
    departments = row_of(steward, "submitto").locator("[name$='-domain']").input_value().splitlines()
    assert set(departments) == {call["submitto"] for call in calls if call["submitto"]}
    assert "WATER DIV," in departments  # the comma at the end belongs to the name
    assert row_of(steward, "requestid").locator("[name$='-kind']").input_value() == "privacy_unit"
    demands_a_department(steward)
    sees_the_findings(steward, bad)
    publishes_without_them(steward, len(bad), calls)
    is_found_by_an_enterprise(visit("enterprise"))


def hands_in(steward: Visitor, path: Path) -> None:
    steward.log_in()
    steward.open("/admin/catalog/dataset/add/")
    for name, text in {
        "name": "calls",
        "title": "热线诉求",
        "title_en": "Hotline calls",
        "theme": "民生",
    }.items():
        steward.page.locator(f"#id_{name}").fill(text)
    steward.page.locator("#id_description").fill("一月份的市民来电,一件一行。")
    steward.page.locator("#id_legal_basis").fill("ODC-By")
    steward.click("input[name=_save]")
    steward.click("#result_list th a[href$='/change/']")
    steward.click("a[href$='/hand-in/']")
    steward.click(".submit-row button")  # nothing chosen yet
    steward.sees(".errorlist")
    steward.picture("nothing-chosen")
    steward.page.locator("#id_file").set_input_files(path)
    steward.click(".submit-row button")
    steward.sees("button[formaction$='/act/publish/']", patience=BACKGROUND)
    steward.picture("inferred-schema")


def row_of(steward: Visitor, header: str):
    return steward.page.locator("tr", has=steward.page.locator(f"th[scope=row]:text-is('{header}')"))


def demands_a_department(steward: Visitor) -> None:
    """First with a name that no column can have: the refusal stands in the column's own row."""
    row = row_of(steward, "submitto")
    row.locator("[name$='-nullable']").uncheck()
    row.locator("[name$='-name']").fill("Submitted To")
    steward.click("form[action$='/schema/'] .submit-row button")
    expect(row.locator(".errorlist")).to_be_visible()
    steward.picture("wrong-name")
    row.locator("[name$='-name']").fill("department")
    steward.click("form[action$='/schema/'] .submit-row button")


def sees_the_findings(steward: Visitor, bad: list[int]) -> None:
    steward.sees("button[formaction$='/act/drop_rows/']", patience=BACKGROUND)
    finding = steward.page.locator("tr", has=steward.page.locator("td:text-is('department')")).first
    expect(finding.locator("td").nth(2)).to_have_text(str(len(bad)))
    told = finding.locator("td").nth(3).inner_text().replace(",", " ").split()
    assert [int(word) for word in told if word.isdigit()] == list(islice(bad, SHOWN))
    steward.picture("findings")
    steward.open("/")
    steward.click(".queue-title[href^='/admin/catalog/version/']")  # it also waits on the front page


def publishes_without_them(steward: Visitor, bad: int, calls: list[dict[str, str]]) -> None:
    steward.click("button[formaction$='/act/drop_rows/']")
    steward.sees(".catalog-facts:has-text('SM3')", patience=BACKGROUND)
    facts = steward.page.locator(".catalog-facts").first.inner_text().replace(",", "")
    units = {call["requestid"] for call in calls if call["submitto"]}
    for figure in (CALLS - bad, bad, len(units)):
        assert str(figure) in facts
    steward.picture("published")
    steward.click(".breadcrumbs a[href$='/change/']")
    steward.click("form[action$='/act/list/'] button")
    steward.sees("form[action$='/act/withdraw/']")


def is_found_by_an_enterprise(enterprise: Visitor) -> None:
    """By a part of a word, with its faults on record and without a single call in sight."""
    enterprise.log_in()
    enterprise.open("/catalog/?q=线诉")
    enterprise.click("a[href='/catalog/calls/']")
    enterprise.click(".tabs a[href*='tab=dictionary']")
    expect(enterprise.page.locator("main")).to_contain_text("department")
    enterprise.click(".tabs a[href*='tab=versions']")
    enterprise.picture("versions")
    enterprise.click(".tabs a[href*='tab=sample']")
    enterprise.picture("sample")
    assert "1049265" not in enterprise.page.content()
