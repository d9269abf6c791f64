"""Language and appearance are the reader's own choice, and stay."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from parties.roles import OrganizationKind
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def world(space) -> None:
    factories.account("enterprise", factories.organization(OrganizationKind.ENTERPRISE, "泉城数据公司"))


def test_language_and_appearance_are_the_readers_choice(visit) -> None:
    reader = visit("enterprise")
    page = reader.open("/catalog/")
    chinese = page.locator("h1").inner_text()
    expect(page.locator("html")).to_have_attribute("lang", re.compile("zh", re.IGNORECASE))
    reader.click("button[name=language][value=en]")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert page.locator("h1").inner_text() != chinese
    assert reader.path == "/catalog/"
    reader.picture("english")
    reader.log_in()
    expect(page.locator("html")).to_have_attribute("lang", "en")  # it stays, also through the log-in
    reader.open("/catalog/")
    reader.click("button[name=language][value=zh-hans]")
    assert page.locator("h1").inner_text() == chinese
    background = "() => getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.locator("#theme-switch").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    dark = page.evaluate(background)
    assert dark != light
    reader.open("/contracts/")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate(background) == dark
    reader.picture("dark")
    page.emulate_media(color_scheme="dark")  # the order of the choices follows the system's
    page.locator("#theme-switch").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "auto")
    page.locator("#theme-switch").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    assert page.evaluate(background) == light
