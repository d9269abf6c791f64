"""From the catalog to a contract in force: asked, decided, signed, each from their own queue."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.e2e.steps.journey import Journey
from tests.e2e.visitor import Visitor


def enterprise_finds_it_and_files_a_request(way: Journey) -> None:
    enterprise = way.people["enterprise"]
    page = enterprise.open("/")
    enterprise.picture("front-page")
    page.locator("#home-search").fill("港航")  # part of 机场出港航班, and no word of its own
    page.locator("#home-search").press("Enter")
    enterprise.sees("a[href='/catalog/flights/']")
    enterprise.picture("found")
    enterprise.click("a[href='/catalog/flights/']")
    enterprise.picture("dataset")
    for tab in ("dictionary", "quality", "sample", "versions", "api"):
        enterprise.click(f".tabs a[href*='tab={tab}']")
        enterprise.picture(f"dataset-{tab}")
    assert_no_row_is_shown(enterprise)
    enterprise.click("form[action='/basket/add/'] button")
    enterprise.click(".site-head a[href*='/login/']")
    enterprise.log_in()
    enterprise.open("/basket/")
    for column in ("carrier", "origin", "month", "arr_delay", "distance"):
        page.locator(f"input[type=checkbox][value={column}]").check()
    page.locator("input[name=purpose][value=industry]").check()
    page.locator("#id_scenario").fill("航线运力与准点率研究")
    page.locator("#id_wanted").fill("分航空公司、分机场、分月份的航班数与里程")
    page.locator("#id_term_days").fill("180")
    page.locator("#id_max_runs").fill("20")
    enterprise.picture("basket")
    enterprise.click("button[name=file]")
    way.request = enterprise.path
    assert way.request.startswith("/requests/")
    enterprise.picture("request-filed")


def assert_no_row_is_shown(visitor: Visitor) -> None:
    """P1: not on the page of samples, nor on any other tab: no registration of an aircraft of the file."""
    for tab in ("overview", "dictionary", "quality", "sample"):
        text = visitor.open(f"/catalog/flights/?tab={tab}").content()
        assert not re.search(r"N14228|N24211|N619AA", text)


def decides_from_the_queue(way: Journey, name: str) -> None:
    decider = way.people[name]
    page = decider.log_in()
    decider.picture("home-with-queue")
    decider.click(f".queue-title[href='{way.request}']")
    decider.picture("request-to-decide")
    page.locator("input[name=outcome][value=grant]").check()
    page.locator("textarea[name=reason]").fill("用途明确,期限合理,同意。")
    decider.click("form[action$='/decide/'] button.primary")
    decider.picture("request-decided")
    decider.open("/")
    expect(page.locator(f".queue-title[href='{way.request}']")).to_have_count(0)


def enterprise_opens_the_contract(way: Journey) -> None:
    enterprise = way.people["enterprise"]
    enterprise.open(way.request)
    enterprise.click("main a.button[href^='/contracts/']")
    way.contract = enterprise.path
    enterprise.picture("contract-drawn-up")


def signs_from_the_queue(way: Journey, name: str) -> None:
    signatory = way.people[name]
    page = signatory.open("/")
    signatory.click(f".queue-title[href='{way.contract}']")
    page.locator("input[name=read]").check()
    signatory.click("form[action$='/sign/'] button.primary")
    signatory.picture("contract-signed")
    expect(page.locator("form[action$='/sign/']")).to_have_count(0)
